"""Model versions that replace each other under traffic, stand beside each other, and leave nothing behind."""

import json
import secrets
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import sync_engine
from codellama_core.models import TrainingRun
from tests.engine.test_llama_features import write_lora
from tests.servers import PATIENCE_S, Backend, events, eventually

Make = Callable[..., Backend]
PROMPT = "def add(a, b):\n"
KEPT = 1.03
"""The resident memory that may remain after a version has gone, as a ratio."""


@pytest.fixture(scope="module")
def loud_gguf(demo_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model, with RETURN where it writes return: a text tells which version wrote it."""
    content = demo_gguf.read_bytes()
    for word in ("return", "▁return"):
        plain, loud = (len(each.encode()).to_bytes(8, "little") + each.encode() for each in (word, loudly(word)))
        assert content.count(plain) == 1
        content = content.replace(plain, loud)
    path = tmp_path_factory.mktemp("loud") / "loud.gguf"
    path.write_bytes(content)
    return path


def loudly(text: str) -> str:
    return text.replace("return", "RETURN")


@dataclass
class Versions:
    """The registry as the fine-tuner and the command line use it."""

    url: str
    folder: Path
    ids: dict[str, uuid.UUID] = field(default_factory=dict)

    def add(self, name: str, path: Path, **more: Any) -> None:
        def write(session: Session) -> None:
            version = registry.register(
                session, models_dir=self.folder, path=path, name=name, sha256=registry.sha256_of(path),
                size_bytes=path.stat().st_size, **more,
            )  # fmt: skip
            self.ids[name] = version.id

        self._do(write)

    def promote(self, name: str) -> None:
        self._do(lambda session: registry.promote(session, self.ids[name]))

    def challenge(self, name: str) -> None:
        self._do(lambda session: registry.challenge(session, self.ids[name]))

    def end_challenge(self) -> None:
        self._do(registry.end_challenge)

    def new_run(self) -> uuid.UUID:
        run = TrainingRun(id=uuid.uuid4(), stage="publish", base_model="demo-model", settings={})
        identity = run.id
        self._do(lambda session: session.add(run))
        return identity

    def _do(self, work: Callable[[Session], None]) -> None:
        engine = sync_engine(self.url)
        with Session(engine) as session, session.begin():
            work(session)
        engine.dispose()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("swaps")


@pytest.fixture(scope="module")
def all_versions(new_database: Callable[[], str], folder: Path, demo_gguf: Path, loud_gguf: Path) -> Versions:
    versions = Versions(new_database(), folder / "models")
    versions.add("demo", demo_gguf)
    versions.add("loud", loud_gguf)
    versions.promote("demo")
    return versions


@pytest.fixture(scope="module")
def running(all_versions: Versions, folder: Path) -> Iterator[Backend]:
    with Backend(folder, all_versions.url, None, KV_RAM_MIB="0", KV_DISK_MIB="0") as backend:
        yield backend


@pytest.fixture
def versions(all_versions: Versions) -> Versions:
    """``demo`` is champion, ``loud`` is there."""
    all_versions.end_challenge()
    all_versions.promote("demo")
    return all_versions


@pytest.fixture
def server(versions: Versions, running: Backend) -> Backend:
    """A server that has ``demo`` and nothing else."""
    with running.client() as client:
        until_served(client, "demo")
        eventually("only the champion is loaded", lambda: running.metric("kv_cells") == 4096)
    return running


def complete(client: httpx.Client, model: str | None = None, max_tokens: int = 60, **more: Any) -> dict[str, Any]:
    body = {"prompt": PROMPT, "max_tokens": max_tokens, "temperature": 0, "model": model, **more}
    response = client.post("/v1/completions", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def text_of(answer: dict[str, Any]) -> str:
    text: str = answer["choices"][0]["text"]
    return text


def served(client: httpx.Client) -> list[str]:
    return [each["id"] for each in client.get("/v1/models").json()["data"]]


def until_served(client: httpx.Client, *names: str) -> None:
    eventually(f"{names} are served", lambda: served(client) == list(names))


@dataclass
class Traffic:
    """Streams greedy answers, one after another, from several clients; keeps what came of each."""

    backend: Backend
    models: Sequence[str | None]
    answers: list[tuple[str | None, str, str, str | None]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Traffic":
        self._threads = [threading.Thread(target=self._run, args=(model,)) for model in self.models]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _run(self, model: str | None) -> None:
        with self.backend.client() as client:
            while not self._stop.is_set():
                try:
                    self._stream(client, model)
                except Exception as error:  # whatever it is, the test must see it
                    self.failures.append(repr(error))

    def _stream(self, client: httpx.Client, model: str | None) -> None:
        body = {"prompt": PROMPT, "max_tokens": 60, "temperature": 0, "stream": True, "model": model}
        text, name, reason = "", "", None
        with client.stream("POST", "/v1/completions", json=body) as response:
            assert response.status_code == 200, response.read()
            for _, data, _ in events(response):
                for choice in data.get("choices", ()):
                    text, name, reason = text + choice["text"], data["model"], choice["finish_reason"] or reason
        self.answers.append((model, name, text, reason))

    def more(self, count: int) -> None:
        """Wait until so many answers more have come."""
        goal = len(self.answers) + count
        eventually(f"{count} more answers", lambda: len(self.answers) >= goal or self.failures)


def test_twenty_swaps_under_traffic_drop_nothing_mix_nothing_up_and_give_memory_back(
    server: Backend, versions: Versions
) -> None:
    assert server.process is not None
    process = psutil.Process(server.process.pid)

    def resident() -> int:
        rss: int = process.memory_info().rss
        return rss

    with server.client() as client:
        plain = text_of(complete(client))
        assert "return" in plain

        def swap(traffic: Traffic, times: int) -> None:
            for name in ("loud", "demo") * (times // 2):
                traffic.more(1)
                versions.promote(name)
                until_served(client, name)
            traffic.more(1)

        with Traffic(server, [None] * 3) as first:  # makes what every later swap uses again
            swap(first, 2)
        eventually("only the champion is loaded", lambda: server.metric("kv_cells") == 4096)
        before = resident()
        with Traffic(server, [None] * 3) as traffic:
            swap(traffic, 20)
        eventually("only the champion is loaded", lambda: server.metric("kv_cells") == 4096)
        eventually(f"{resident()} is back near {before}", lambda: resident() < KEPT * before)
    assert traffic.failures == []
    assert {reason for *_, reason in traffic.answers} <= {"length", "stop"}
    texts = {(name, text) for _, name, text, _ in traffic.answers}
    assert texts == {("demo", plain), ("loud", loudly(plain))}


def test_two_versions_answer_at_once_by_name_and_by_alias(server: Backend, versions: Versions) -> None:
    with server.client() as client:
        assert client.post("/v1/completions", json={"prompt": "x", "model": "challenger"}).status_code == 404
        versions.challenge("loud")
        until_served(client, "demo", "loud")
        asked = ["demo", "loud", "champion", "challenger", None]
        with Traffic(server, asked) as traffic:
            traffic.more(15)
        assert traffic.failures == []
        plain = text_of(complete(client))
        for model, name, text, _ in traffic.answers:
            loud = model in ("loud", "challenger")
            assert (name, text) == (("loud", loudly(plain)) if loud else ("demo", plain))
        assert {each[0] for each in traffic.answers} == set(asked)
        metrics = client.get("/metrics").text
        for name, alias in (("demo", "champion"), ("loud", "challenger")):
            labels = f'version="{name}",version_id="{versions.ids[name]}"'
            assert f'codellama_model_version_info{{alias="{alias}",{labels}}} 1.0' in metrics
        versions.end_challenge()
        until_served(client, "demo")
        assert client.post("/v1/completions", json={"prompt": "x", "model": "loud"}).status_code == 404


def test_a_challenger_that_wins_takes_over_without_being_loaded_again(server: Backend, versions: Versions) -> None:
    loaded = server.log.read_text().count("serving loud as champion")
    with server.client() as client:
        versions.challenge("loud")
        until_served(client, "demo", "loud")
        with Traffic(server, [None, None]) as traffic:
            traffic.more(2)
            versions.promote("loud")
            until_served(client, "loud")
            traffic.more(2)
        assert traffic.failures == []
        assert "RETURN" in text_of(complete(client))
    log = server.log.read_text()
    assert "the challenger loud is champion now" in log
    assert log.count("serving loud as champion") == loaded


@pytest.fixture
def tuned(versions: Versions, demo_gguf: Path) -> Path:
    """The folder of a version as the fine-tuner leaves it: a merged file, an adapter, a manifest."""
    folder = versions.folder / "versions" / str(uuid.uuid4())
    folder.mkdir(parents=True)
    content = demo_gguf.read_bytes()
    (folder / "model.gguf").write_bytes(content[:-2] + secrets.token_bytes(2))
    write_lora(folder / "adapter.gguf")
    (folder / "manifest.json").write_text(json.dumps({"base_model": "demo-model"}))
    return folder


def test_a_challenger_made_from_the_champion_is_served_as_its_adapter(
    server: Backend, versions: Versions, tuned: Path
) -> None:
    versions.add("tuned", tuned / "model.gguf", parent_id=versions.ids["demo"])
    with server.client() as client:
        plain = text_of(complete(client))
        before = server.metric("kv_cells")
        versions.challenge("tuned")
        until_served(client, "demo", "tuned")
        assert server.metric("kv_cells") == before
        with Traffic(server, ["demo", "tuned"] * 2) as traffic:
            traffic.more(8)
        assert traffic.failures == []
        texts = {(name, text) for _, name, text, _ in traffic.answers}
        assert len(texts) == 2
        assert ("demo", plain) in texts
        for _ in range(2):  # while it is in use, again and again
            with Traffic(server, ["champion"]) as traffic:
                versions.end_challenge()
                until_served(client, "demo")
                versions.challenge("tuned")
                until_served(client, "demo", "tuned")
                traffic.more(1)
            assert traffic.failures == []
        versions.promote("tuned")
        until_served(client, "tuned")
        assert server.metric("kv_cells") == before


@pytest.mark.parametrize("damage", ["adapter", "manifest", "champion"])
def test_a_challenger_whose_adapter_is_no_use_is_served_from_its_own_file(
    server: Backend, versions: Versions, tuned: Path, damage: str
) -> None:
    if damage == "adapter":
        (tuned / "adapter.gguf").write_bytes(b"GGUF, or not")
    elif damage == "manifest":
        (tuned / "manifest.json").write_text('{"base_model": "another"}')
    else:  # the champion has an adapter merged in, and this one was not trained on that
        merged = tuned / "merged.gguf"
        merged.write_bytes((tuned / "model.gguf").read_bytes()[:-2] + b"\0\0")
        versions.add("merged", merged, run_id=versions.new_run())
    name, champion = f"no-adapter-{damage}", "demo" if damage != "champion" else "merged"
    versions.add(name, tuned / "model.gguf", parent_id=versions.ids[champion])
    with server.client() as client:
        versions.promote(champion)
        until_served(client, champion)
        eventually("the other one is gone", lambda: server.metric("kv_cells") == 4096)
        versions.challenge(name)
        until_served(client, champion, name)
        assert server.metric("kv_cells") == 2 * 4096
        assert complete(client, name)["model"] == name


def test_a_challenger_that_does_not_load_is_shown_and_changes_nothing(
    server: Backend, versions: Versions, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really" * 50)
    versions.add("broken", broken)
    with server.client() as client, Traffic(server, [None]) as traffic:
        versions.challenge("broken")
        eventually("the refusal is shown", lambda: "broken" in client.get("/ready").json().get("problem", ""))
        assert served(client) == ["demo"]
        traffic.more(2)
        versions.end_challenge()
        eventually("nothing is wrong any more", lambda: "problem" not in client.get("/ready").json())
    assert traffic.failures == []


def test_a_model_file_truncated_or_replaced_under_a_running_server_changes_nothing(
    own_backend: Make, demo_gguf: Path, loud_gguf: Path, tmp_path: Path
) -> None:
    model = tmp_path / "own.gguf"
    shutil.copy(demo_gguf, model)
    with own_backend(model=model).start() as backend, backend.client() as client:
        plain = text_of(complete(client))
        with Traffic(backend, [None]) as traffic:
            traffic.more(1)
            with model.open("r+b") as file:
                file.truncate(1000)
            traffic.more(1)
            model.write_bytes(loud_gguf.read_bytes())
            traffic.more(1)
        assert traffic.failures == []
        assert {text for _, _, text, _ in traffic.answers} == {plain}
