"""Prefixes whose cells have been evicted: in RAM, then on disk, each within a budget of bytes.

What is put here is kept in RAM and written to disk behind it, by a thread that yields to all that computes; another
reads, because somebody waits for that. The least recently used goes first. The index belongs to the engine thread:
results of reading and writing wait in ``poll``.
"""

import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from assistant.engine.kv_files import BadFileError, SavedFile, read_cells, scan, write
from assistant.engine.model import Owner, Saved
from assistant.engine.prefixes import Stored, common_prefix, shareable

logger = logging.getLogger(__name__)
MIB = 1024 * 1024
WANTED_S = 5.0
"""How long cells that somebody has asked for stay in RAM, whatever the budget."""


@dataclass(frozen=True, slots=True)
class KvStoreOptions:
    """Budgets in bytes; 0 turns a tier off. ``folder`` belongs to one process."""

    ram_bytes: int = 0
    disk_bytes: int = 0
    folder: Path | None = None

    @property
    def on_disk(self) -> bool:
        return self.folder is not None and self.disk_bytes > 0


@dataclass(slots=True)
class _Entry:
    model: str
    owner: Owner
    public: int
    tokens: tuple[int, ...]
    cells: Saved | None = None
    file: SavedFile | None = None
    used: int = 0
    wanted: float = 0.0
    busy: bool = False


class KvStore:
    """Saved prefixes of all models of an engine. ``wake`` is called, on any thread, when ``poll`` has news."""

    def __init__(self, options: KvStoreOptions, wake: Callable[[], None] = lambda: None) -> None:
        self._options = options
        self._wake = wake
        self._entries: dict[int, _Entry] = {}
        self._numbers = itertools.count(1)
        self._clock = itertools.count(1)
        self._jobs: list[tuple[Future[Any], Callable[[Future[Any]], None]]] = []
        self._writer = ThreadPoolExecutor(1, "kv-write", _yield_to_others) if options.on_disk else None
        self._reader = ThreadPoolExecutor(1, "kv-read") if options.on_disk else None
        if options.folder is not None and options.on_disk:
            options.folder.mkdir(parents=True, exist_ok=True)
            for file in scan(options.folder):
                self._add(_Entry(file.model, file.owner, file.public, file.tokens, file=file))
            self._trim_disk()

    @property
    def enabled(self) -> bool:
        return self._options.ram_bytes > 0 or self.on_disk

    @property
    def on_disk(self) -> bool:
        return self._writer is not None

    @property
    def ram_bytes(self) -> int:
        return sum(len(each.cells) for each in self._entries.values() if each.cells is not None)

    @property
    def disk_bytes(self) -> int:
        return sum(each.file.size for each in self._entries.values() if each.file is not None)

    def match(self, model: str, owner: Owner, public: int, tokens: Sequence[int]) -> Stored | None:
        """The longest saved prefix of a prompt; one token is left over, because its logits are needed. Any thread."""
        best: Stored | None = None
        tokens = tuple(tokens)
        for number in list(self._entries):
            entry = self._entries.get(number)
            if entry is None or entry.model != model:
                continue
            most = min(shareable(entry.owner, entry.public, owner, public), len(tokens) - 1)
            length = min(common_prefix(entry.tokens, tokens), most)
            if length > (best.length if best else 0):
                best = Stored(number, length, len(entry.tokens))
        return best

    def covers(self, model: str, owner: Owner, tokens: Sequence[int]) -> bool:
        """Whether these very tokens are part of a saved prefix already."""
        return any(
            (each.model, each.owner) == (model, owner) and each.tokens[: len(tokens)] == tokens
            for each in self._entries.values()
        )

    def put(self, model: str, owner: Owner, public: int, tokens: tuple[int, ...], cells: Saved) -> None:
        """Keep the cells of ``tokens``; shorter saved prefixes of the same are dropped."""
        for number, each in list(self._entries.items()):
            if (each.model, each.owner) == (model, owner) and each.tokens == tokens[: len(each.tokens)]:
                self.remove(number)
        entry = _Entry(model, owner, public, tokens, cells=cells)
        self._add(entry)
        if self._writer is not None and self._options.folder is not None and self._backlog() <= self._budget():
            entry.busy = True
            job = self._writer.submit(write, self._options.folder, model, owner, public, tokens, cells)
            self._when_done(job, partial(self._written, entry))
        self._trim_ram()

    def fetch(self, entry: int) -> bool | None:
        """Whether the cells are in RAM; False: they are being read; None: they are gone."""
        found = self._entries.get(entry)
        if found is None:
            return None
        found.used, found.wanted = next(self._clock), time.monotonic()
        if found.cells is not None:
            return True
        if not found.busy and self._reader is not None and found.file is not None:
            found.busy = True
            self._when_done(self._reader.submit(read_cells, found.file), partial(self._read, entry))
        return False

    def cells(self, entry: int) -> Saved | None:
        """The saved cells, if they are in RAM."""
        found = self._entries.get(entry)
        return found.cells if found else None

    def remove(self, entry: int) -> None:
        """Forget a saved prefix and its file."""
        found = self._entries.pop(entry, None)
        if found is not None and found.file is not None:
            found.file.path.unlink(missing_ok=True)

    def poll(self) -> None:
        """Take the results of reading and writing that have come in."""
        done = [job for job in self._jobs if job[0].done()]
        self._jobs = [job for job in self._jobs if not job[0].done()]
        for future, then in done:
            then(future)
        if done:
            self._trim_ram()

    def close(self, timeout_s: float = 20.0) -> None:
        """Finish writing, within the time, and stop."""
        wait([future for future, _ in self._jobs], timeout_s)
        self.poll()
        for thread in (self._writer, self._reader):
            if thread is not None:
                thread.shutdown(wait=False, cancel_futures=True)

    def _add(self, entry: _Entry) -> None:
        entry.used = next(self._clock)
        self._entries[next(self._numbers)] = entry

    def _when_done(self, job: Future[Any], then: Callable[[Future[Any]], None]) -> None:
        self._jobs.append((job, then))
        job.add_done_callback(lambda _: self._wake())

    def _written(self, entry: _Entry, job: Future[Any]) -> None:
        entry.busy = False
        error = job.exception()
        if error is not None:
            logger.warning("a prefix could not be saved to disk: %s", error)
            return
        file: SavedFile = job.result()
        if any(each is entry for each in self._entries.values()):
            entry.file = file
            self._trim_disk()
        else:
            file.path.unlink(missing_ok=True)

    def _read(self, number: int, job: Future[Any]) -> None:
        entry = self._entries.get(number)
        if entry is None:
            return
        entry.busy = False
        error = job.exception()
        if error is None:
            entry.cells = job.result()
            if entry.file is not None:
                entry.file.path.touch()
            return
        if not isinstance(error, BadFileError | OSError):
            raise error
        logger.warning("a saved prefix is lost: %s", error)
        self.remove(number)

    def _backlog(self) -> int:
        """Bytes that wait to be written."""
        return sum(len(each.cells) for each in self._entries.values() if each.busy and each.cells is not None)

    def _budget(self) -> int:
        return max(self._options.ram_bytes, 256 * MIB)

    def _trim_ram(self) -> None:
        """Let go of cells until the rest fits; those being written, or waited for, stay until they are."""
        excess = self.ram_bytes - self._options.ram_bytes
        now = time.monotonic()
        for number, entry in self._by_age():
            if excess <= 0:
                return
            if entry.cells is None or entry.busy or now - entry.wanted < WANTED_S:
                continue
            excess -= len(entry.cells)
            if entry.file is None:
                self.remove(number)
            else:
                entry.cells = None

    def _trim_disk(self) -> None:
        excess = self.disk_bytes - self._options.disk_bytes
        for number, entry in self._by_age():
            if excess <= 0:
                return
            if entry.file is not None and not entry.busy:
                excess -= entry.file.size
                self.remove(number)

    def _by_age(self) -> list[tuple[int, _Entry]]:
        return sorted(self._entries.items(), key=lambda item: item[1].used)


def _yield_to_others() -> None:
    """Give the calling thread the lowest priority: one that computes beside ggml's makes all of them wait."""
    with contextlib.suppress(OSError):  # where threads have no priorities of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


@dataclass(frozen=True, slots=True)
class ModelPrefixes:
    """The saved prefixes of one model, as its scheduler sees them."""

    store: KvStore
    model: str

    def match(self, owner: Owner, public: int, tokens: Sequence[int]) -> Stored | None:
        return self.store.match(self.model, owner, public, tokens)

    def fetch(self, entry: int) -> bool | None:
        return self.store.fetch(entry)
