import os
import threading
from pathlib import Path

import pytest

from assistant.engine.kv_files import SUFFIX
from assistant.engine.kv_store import KvStore, KvStoreOptions
from assistant.engine.model import Owner
from tests.servers import eventually

ANN, BOB = Owner(None, "ann"), Owner(None, "bob")
TOKENS = tuple(range(100))


def stored(store: KvStore, owner: Owner, tokens: tuple[int, ...], public: int = 0) -> int | None:
    found = store.match("m", owner, public, tokens)
    return found.entry if found else None


def fetched(store: KvStore, entry: int) -> bytes | None:
    """The cells, read from disk if need be."""

    def ready() -> bool:
        store.poll()
        return store.fetch(entry) is not False

    eventually("the cells are read", ready)
    cells = store.cells(entry)
    return None if cells is None else bytes(cells)


def on_disk(folder: Path, ram: int = 0, disk: int = 10_000) -> KvStore:
    return KvStore(KvStoreOptions(ram, disk, folder))


def settled(store: KvStore) -> None:
    """Everything that was put has been written."""

    def done() -> bool:
        store.poll()
        return not store._jobs

    eventually("all is written", done)


def folder_of(store: KvStore) -> Path:
    folder = store._options.folder
    assert folder is not None
    return folder


def test_the_longest_prefix_is_found_and_one_token_left_over() -> None:
    store = KvStore(KvStoreOptions(ram_bytes=1000))
    store.put("m", ANN, 0, TOKENS[:50], b"short")
    store.put("m", ANN, 0, (*TOKENS[:60], 7), b"other")
    found = store.match("m", ANN, 0, TOKENS)
    assert found is not None
    assert (found.length, found.size) == (60, 61)
    again = store.match("m", ANN, 0, TOKENS[:50])
    assert again is not None
    assert again.length == 49


def test_nobody_gets_what_is_anothers_but_what_is_public() -> None:
    store = KvStore(KvStoreOptions(ram_bytes=1000))
    store.put("m", ANN, 20, TOKENS, b"cells")
    assert stored(store, BOB, TOKENS) is None
    found = store.match("m", BOB, 30, TOKENS)
    assert found is not None
    assert found.length == 20
    assert store.match("m", Owner("tuned", "ann"), 100, TOKENS) is None
    assert store.match("another model", ANN, 100, TOKENS) is None


def test_what_goes_on_from_a_saved_prefix_replaces_it() -> None:
    store = KvStore(KvStoreOptions(ram_bytes=1000))
    store.put("m", ANN, 0, TOKENS[:50], b"1" * 50)
    store.put("m", ANN, 0, TOKENS, b"2" * 100)
    assert store.ram_bytes == 100
    assert store.covers("m", ANN, TOKENS[:50])
    assert not store.covers("m", BOB, TOKENS[:50])


def test_ram_stays_within_its_budget_and_the_least_recently_used_goes_first() -> None:
    store = KvStore(KvStoreOptions(ram_bytes=250))
    for first in range(3):
        store.put("m", ANN, 0, (first, *TOKENS), b"x" * 100)
    assert store.ram_bytes == 200
    assert stored(store, ANN, (0, *TOKENS)) is None
    assert stored(store, ANN, (2, *TOKENS)) is not None


def test_cells_come_back_from_disk_in_another_process(tmp_path: Path) -> None:
    store = on_disk(tmp_path)
    store.put("m", Owner("tuned", "ann"), 5, TOKENS, b"cells" * 20)
    store.close()
    again = on_disk(tmp_path)
    entry = stored(again, Owner("tuned", "ann"), TOKENS)
    assert entry is not None
    assert again.fetch(entry) is False
    assert fetched(again, entry) == b"cells" * 20
    assert (tmp_path / next(iter(os.listdir(tmp_path)))).stat().st_mode & 0o077 == 0


def test_the_disk_stays_within_its_budget(tmp_path: Path) -> None:
    store = on_disk(tmp_path, disk=2500)
    for first in range(4):
        store.put("m", ANN, 0, (first, *TOKENS), b"x" * 600)
        settled(store)
    assert store.disk_bytes <= 2500
    assert stored(store, ANN, (0, *TOKENS)) is None
    assert stored(store, ANN, (3, *TOKENS)) is not None
    store.close()
    assert on_disk(tmp_path, disk=1300).disk_bytes <= 1300


@pytest.mark.parametrize("place", [3, 9, 40, 300, -1])
def test_a_damaged_file_is_a_miss(tmp_path: Path, place: int) -> None:
    store = on_disk(tmp_path)
    store.put("m", ANN, 0, TOKENS, b"cells" * 20)
    store.close()
    file = next(tmp_path.glob(f"*{SUFFIX}"))
    data = bytearray(file.read_bytes())
    data[place] ^= 0xFF
    file.write_bytes(data)
    assert_missed(on_disk(tmp_path))


def test_a_file_cut_short_is_a_miss(tmp_path: Path) -> None:
    store = on_disk(tmp_path)
    store.put("m", ANN, 0, TOKENS, b"cells" * 20)
    store.close()
    file = next(tmp_path.glob(f"*{SUFFIX}"))
    for length in (file.stat().st_size - 1, 200, 10, 0):
        os.truncate(file, length)
        again = on_disk(tmp_path)
        assert stored(again, ANN, TOKENS) is None
        assert not file.exists()
        file.write_bytes(b"")


def test_a_file_that_goes_away_is_a_miss(tmp_path: Path) -> None:
    store = on_disk(tmp_path)
    store.put("m", ANN, 0, TOKENS, b"cells" * 20)
    store.close()
    again = on_disk(tmp_path)
    next(tmp_path.glob(f"*{SUFFIX}")).unlink()
    assert_missed(again)


def test_a_full_disk_costs_nothing_but_the_copy(tmp_path: Path) -> None:
    store = on_disk(tmp_path / "kv", ram=1000)
    (tmp_path / "kv").rmdir()
    store.put("m", ANN, 0, TOKENS, b"cells")
    store.close()
    entry = stored(store, ANN, TOKENS)
    assert entry is not None
    assert store.cells(entry) == b"cells"


def assert_missed(store: KvStore) -> None:
    entry = stored(store, ANN, TOKENS)
    if entry is not None:
        assert fetched(store, entry) is None
    assert stored(store, ANN, TOKENS) is None
    assert not list(folder_of(store).glob(f"*{SUFFIX}"))


def test_writing_to_disk_yields_to_what_computes(tmp_path: Path) -> None:
    store = on_disk(tmp_path)
    store.put("m", ANN, 0, TOKENS, b"cells")
    settled(store)
    writers = [each.native_id for each in threading.enumerate() if each.name.startswith("kv-write")]
    assert {os.getpriority(os.PRIO_PROCESS, each or 0) for each in writers} == {19}
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19
    store.close()
