"""What happens when parts fail. Each test owns its backend, and names what a person may rely on."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import sync_engine
from tests.api.test_chat import LONG, answer_of, send
from tests.servers import Backend, DatabaseProxy, events, eventually

Make = Callable[..., Backend]


def start_chat(client: httpx.Client) -> tuple[str, str]:
    conversation = client.post("/api/conversations", json={}).json()["id"]
    return conversation, send(client, conversation, LONG)["assistant_message"]["id"]


def first_text(client: httpx.Client, message_id: str) -> str:
    with client.stream("GET", f"/api/generations/{message_id}/events") as response:
        for _, data, _ in events(response):
            if data.get("text"):
                return str(data["text"])
    raise AssertionError("no text came")


def test_after_kill_9_the_text_so_far_is_kept_and_the_chat_goes_on(own_backend: Make) -> None:
    backend = own_backend(MAX_TOKENS="1900").start()
    with backend.client() as client:
        conversation, message_id = start_chat(client)

        def written() -> Any:
            return client.get(f"/api/conversations/{conversation}").json()["messages"][1]["status"] == "writing"

        first_text(client, message_id)
        eventually("the answer is recorded as being written", written)
    backend.kill()
    backend.start()
    with backend.client() as client:
        text, message = answer_of(client, message_id)
        assert message["status"] == "interrupted"
        assert text == message["content"] != ""
        again = send(client, conversation, "Write hello world")
        assert answer_of(client, again["assistant_message"]["id"])[1]["status"] == "done"


def test_a_stop_signal_ends_cleanly_and_keeps_the_text(own_backend: Make) -> None:
    backend = own_backend(DRAIN_S="0").start()
    with backend.client() as client:
        conversation, message_id = start_chat(client)
        first_text(client, message_id)
    assert backend.stop() == 0
    backend.start()
    with backend.client() as client:
        message = client.get(f"/api/conversations/{conversation}").json()["messages"][1]
    assert message["status"] == "interrupted"
    assert message["content"] != ""


@pytest.fixture
def proxy(fresh_database_url: str) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(fresh_database_url)
    yield proxy
    proxy.cut()


def test_the_database_going_away_harms_no_stream_in_flight(own_backend: Make, proxy: DatabaseProxy) -> None:
    backend = own_backend(proxy.url, MAX_TOKENS="1900").start()
    with backend.client() as client:
        conversation, message_id = start_chat(client)
        with client.stream("GET", f"/api/generations/{message_id}/events") as response:
            received = events(response)
            text = next(data["text"] for _, data, _ in received if data.get("text"))
            proxy.cut()
            for name, data, _ in received:
                text = data["text"] if name == "snapshot" else text + data.get("text", "")
                if name == "end":
                    assert data["message"]["status"] == "done"
        refused = client.post(f"/api/conversations/{conversation}/messages", json={"content": "still there?"})
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert "Retry-After" in refused.headers
        assert client.get("/health").status_code == 200
        assert client.get("/ready").json()["database"] == "away"
        assert client.post("/generate", json={"text": "x = ", "max_tokens": 3}).status_code == 200
        eventually("both records are spooled", lambda: client.get("/ready").json()["spooled_records"] == 2)
        proxy.restore()
        eventually("the spool is empty", lambda: client.get("/ready").json()["spooled_records"] == 0)
        stored = client.get(f"/api/conversations/{conversation}").json()["messages"][1]
        assert (stored["content"], stored["status"]) == (text, "done")


def test_a_database_that_is_away_at_the_start_is_waited_for_then_named(own_backend: Make, proxy: DatabaseProxy) -> None:
    proxy.cut()
    backend = own_backend(proxy.url, DATABASE_WAIT_S="1").start(until_ready=False)
    assert backend.wait() == 69
    log = backend.log.read_text()
    assert "waiting for the database" in log
    assert "the database did not answer within" in log
    proxy.restore()
    backend.start()


def test_an_unmigrated_database_stops_the_start(own_backend: Make, postgres_url: str) -> None:
    backend = own_backend(postgres_url).start(until_ready=False)
    assert backend.wait() == 78
    assert "python -m codellama_core migrate" in backend.log.read_text()


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "truncated"])
def test_a_bad_model_file_stops_the_start_with_a_sentence(
    own_backend: Make, demo_gguf: Path, tmp_path: Path, damage: str
) -> None:
    model = tmp_path / "model.gguf"
    whole = demo_gguf.read_bytes()
    content = {"empty": b"", "garbage": b"no model at all" * 100, "truncated": whole[: len(whole) // 2]}.get(damage)
    if content is not None:
        model.write_bytes(content)
    backend = own_backend(model=model).start(until_ready=False)
    assert backend.wait() == 65
    assert "There is no model to serve" in backend.log.read_text()
    assert str(model) in backend.log.read_text()


def add_version(url: str, models: Path, path: Path, name: str) -> None:
    """Register a file and make it champion, as the fine-tuner does."""
    engine = sync_engine(url)
    with Session(engine) as session, session.begin():
        version = registry.register(
            session, models_dir=models, path=path, name=name, sha256=registry.sha256_of(path),
            size_bytes=path.stat().st_size,
        )  # fmt: skip
        registry.promote(session, version.id)
    engine.dispose()


@pytest.fixture
def second_version(endless_gguf: Path, tmp_path: Path) -> Path:
    """The same weights as another file: one byte of metadata differs."""
    path = tmp_path / "models" / "versions" / "second" / "model.gguf"
    path.parent.mkdir(parents=True)
    content = endless_gguf.read_bytes()
    assert content.count(b"general.name") == 1
    at = content.index(b"general.name") + len(b"general.name") + 4 + 8
    path.write_bytes(content[:at] + content[at : at + 4].upper() + content[at + 4 :])
    return path


def served(client: httpx.Client) -> str:
    name: str = client.get("/v1/models").json()["data"][0]["id"]
    return name


def test_a_new_champion_takes_over_without_dropping_a_stream(
    own_backend: Make, fresh_database_url: str, second_version: Path, tmp_path: Path
) -> None:
    backend = own_backend(MAX_TOKENS="1900").start()
    with backend.client() as client:
        conversation, message_id = start_chat(client)
        first_text(client, message_id)
        add_version(fresh_database_url, tmp_path / "models", second_version, "second")
        eventually("the new version is served", lambda: served(client) == "second")
        text, message = answer_of(client, message_id)
        assert (message["status"], message["model"]) == ("done", "endless")
        assert text == message["content"]
        answer = send(client, conversation, "Write hello world")["assistant_message"]["id"]
        assert answer_of(client, answer)[1]["model"] == "second"
        client.post("/api/models/rollback")
        eventually("the version before is served again", lambda: served(client) == "endless")


def test_swaps_under_traffic_fail_no_request(
    own_backend: Make, fresh_database_url: str, second_version: Path, tmp_path: Path
) -> None:
    backend = own_backend().start()
    add_version(fresh_database_url, tmp_path / "models", second_version, "second")
    stop, statuses = threading.Event(), []

    def traffic() -> None:
        with backend.client() as client:
            while not stop.is_set():
                statuses.append(client.post("/generate", json={"text": "def f(", "max_tokens": 20}).status_code)

    threads = [threading.Thread(target=traffic) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with backend.client() as client:
            names = ["second", "endless"] * 3
            for name in names:
                eventually(f"{name} is served", lambda name=name: served(client) == name)
                client.post("/api/models/rollback")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
    assert len(statuses) > 5


def test_a_corrupt_champion_is_refused_while_the_old_one_goes_on(
    own_backend: Make, fresh_database_url: str, tmp_path: Path
) -> None:
    backend = own_backend().start()
    broken = tmp_path / "models" / "versions" / "broken" / "model.gguf"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"GGUF but not really" * 50)
    with backend.client() as client:
        add_version(fresh_database_url, tmp_path / "models", broken, "broken")
        eventually("the refusal is shown", lambda: "problem" in client.get("/ready").json())
        assert "broken" in client.get("/api/models").json()["problem"]
        assert served(client) == "endless"
        assert client.post("/generate", json={"text": "x", "max_tokens": 2}).status_code == 200
    backend.kill()
    backend.start()
    with backend.client() as client:
        assert served(client) == "endless"


def test_a_model_file_deleted_under_a_running_server_changes_nothing(
    own_backend: Make, demo_gguf: Path, tmp_path: Path
) -> None:
    model = tmp_path / "own.gguf"
    shutil.copy(demo_gguf, model)
    backend = own_backend(model=model).start()
    model.write_bytes(b"")
    with backend.client() as client:
        assert client.post("/generate", json={"text": "x", "max_tokens": 2}).status_code == 200


def test_a_full_queue_is_429_with_a_time_to_come_back(own_backend: Make) -> None:
    backend = own_backend(QUEUE_MAX_WAIT_S="0.5", N_SEQ_MAX="2", MAX_TOKENS="1900", N_CTX="4096").start()
    refused: list[httpx.Response] = []

    def call() -> None:
        with backend.client() as client:
            response = client.post("/v1/completions", json={"prompt": "import os\n", "max_tokens": 400})
            if response.status_code != 200:
                refused.append(response)

    threads = [threading.Thread(target=call) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused
    assert len(refused) < 24
    for response in refused:
        assert (response.status_code, response.json()["error"]["code"]) == (429, "queue_full")
        assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"HOST": "0.0.0.0"}, "AUTH_MODE=local"),
        ({"ADMIN_PASSWORD": "short"}, "ADMIN_PASSWORD"),
        ({"N_CTX": "many"}, "N_CTX"),
        ({"DATABASE_URL": "mysql://x"}, "postgresql://"),
    ],
)
def test_a_bad_setting_stops_the_start_and_is_named(own_backend: Make, environment: dict[str, str], names: str) -> None:
    backend = own_backend(**environment).start(until_ready=False)
    assert backend.wait() == 78
    assert names in backend.log.read_text()
