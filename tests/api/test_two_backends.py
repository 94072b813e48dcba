"""Two processes on one database: what one generates can be followed, stopped and, when it dies, kept by the other."""

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from assistant.config import Settings
from assistant.services.chat import generations, live
from codellama_core.database import plain_url
from tests.api.test_chat import LONG, answer_of, send
from tests.servers import Backend, DatabaseProxy, events, eventually

Pod = Callable[..., Backend]


@pytest.fixture
def pod(own_backend: Callable[..., Backend], tmp_path: Path) -> Pod:
    """Makes processes that share nothing but the database, as pods do."""
    numbers = itertools.count()

    def make(*arguments: str, **environment: str) -> Backend:
        own = {"SPOOL_DIR": str(tmp_path / f"spool-{next(numbers)}"), "MAX_TOKENS": "600", "REAP_AFTER_S": "6"}
        return own_backend(*arguments, **{**own, **environment}).start()

    return make


@pytest.fixture
def pair(pod: Pod) -> tuple[Backend, Backend]:
    """The first is asked, the second has no part in it."""
    return pod(), pod()


@pytest.fixture
def lasting_pair(pod: Pod) -> tuple[Backend, Backend]:
    """Their answers are long enough for something to happen in the middle."""
    return pod(MAX_TOKENS="3000"), pod()


class Reader(threading.Thread):
    """Follows an answer as a browser does, and keeps what it was shown."""

    def __init__(self, backend: Backend, message_id: str) -> None:
        super().__init__(daemon=True)
        self.text = ""
        self.names: list[str] = []
        self.figures: list[dict[str, Any]] = []
        self.ended: dict[str, Any] | None = None
        self._backend = backend
        self._url = f"/api/generations/{message_id}/events"
        self.start()

    def run(self) -> None:
        try:
            with self._backend.client() as client, client.stream("GET", self._url) as response:
                for name, data, _ in events(response):
                    self._take(name, data)
        except httpx.TransportError:
            return

    def _take(self, name: str, data: dict[str, Any]) -> None:
        self.names.append(name)
        if name == "snapshot":
            self.text = data["text"]
        elif name == "text":
            self.text += data["text"]
            self.figures.append(data)
        elif name == "end":
            self.ended = data["message"]

    def has(self, characters: int) -> bool:
        return len(self.text) >= characters

    def end(self) -> dict[str, Any]:
        message: dict[str, Any] = eventually("the stream ends", lambda: self.ended)
        return message


def ask(backend: Backend) -> tuple[str, str]:
    with backend.client() as client:
        conversation: str = client.post("/api/conversations", json={}).json()["id"]
        return conversation, send(client, conversation, LONG)["assistant_message"]["id"]


def stored(backend: Backend, conversation: str) -> dict[str, Any]:
    with backend.client() as client:
        message: dict[str, Any] = client.get(f"/api/conversations/{conversation}").json()["messages"][1]
        return message


def test_both_show_the_same_text_and_its_speed(pair: tuple[Backend, Backend]) -> None:
    here, there = pair
    conversation, message_id = ask(here)
    readers = [Reader(each, message_id) for each in (here, there)]
    messages = [reader.end() for reader in readers]
    assert messages[0] == messages[1]
    assert readers[0].text == readers[1].text == stored(here, conversation)["content"]
    assert len(readers[1].figures) > 3, "it came in pieces, not at the end"
    assert readers[1].figures[-1]["tokens_per_second"] > 0
    tokens = [figures["tokens"] for figures in readers[1].figures]
    assert tokens == sorted(tokens)


def test_a_reader_that_comes_back_through_the_other_gets_what_it_lacks(pair: tuple[Backend, Backend]) -> None:
    here, there = pair
    conversation, message_id = ask(here)
    first = Reader(there, message_id)
    eventually("there is text", lambda: first.has(50))
    with there.client() as client:
        rest, message = answer_of(client, message_id, after=50)
    content = stored(here, conversation)["content"]
    assert content == message["content"]
    assert content[:50] + rest == content


def test_the_wait_is_as_honest_through_the_other(pod: Pod) -> None:
    here, there = pod(MAX_RUNNING="1"), pod()
    first, second = ask(here), ask(here)
    reader = Reader(there, second[1])
    eventually("the place in the queue is told", lambda: "queued" in reader.names)
    assert reader.text == ""
    with there.client() as client:
        client.post(f"/api/generations/{first[1]}/stop")
    eventually("its turn comes", lambda: reader.has(20))
    order = [name for name in dict.fromkeys(reader.names) if name in ("queued", "reading", "text")]
    assert (order[0], order[-1]) == ("queued", "text")


def test_either_stops_what_the_other_writes(lasting_pair: tuple[Backend, Backend]) -> None:
    here, there = lasting_pair
    conversation, message_id = ask(here)
    reader = Reader(there, message_id)
    eventually("there is text", lambda: reader.has(20))
    with there.client() as client:
        assert client.post(f"/api/generations/{message_id}/stop").status_code == 202
    assert reader.end()["status"] == "stopped"
    assert reader.text == stored(here, conversation)["content"]
    eventually("its place is free", lambda: here.metric("requests_in_system") == 0)


def test_kill_9_of_the_writer_loses_nothing_that_was_shown_elsewhere(lasting_pair: tuple[Backend, Backend]) -> None:
    here, there = lasting_pair
    conversation, message_id = ask(here)
    near, far = Reader(here, message_id), Reader(there, message_id)
    eventually("there is text", lambda: near.has(100))
    shown = near.text
    eventually("it is written down", lambda: far.has(len(shown)))
    here.kill()
    message = far.end()
    assert message["status"] == "interrupted"
    assert message["content"].startswith(shown)
    assert message["content"] == far.text == stored(there, conversation)["content"]
    with there.client() as client:
        again = client.post(f"/api/messages/{message_id}/continue")
        assert again.status_code == 202, again.text
        assert again.json()["assistant_message"]["content"] == message["content"]


def test_the_times_that_this_rests_on() -> None:
    """The tests shorten the time after which a silent process's answers are given up; this is the real one."""
    assert Settings.model_fields["reap_after_s"].default == 90
    assert live.FLUSH_S == 0.2
    assert generations.LOOKS >= 2


def test_kill_9_of_the_readers_process_harms_no_answer(pair: tuple[Backend, Backend]) -> None:
    here, there = pair
    conversation, message_id = ask(here)
    far = Reader(there, message_id)
    eventually("there is text", lambda: far.has(20))
    there.kill()
    with here.client() as client:
        rest, message = answer_of(client, message_id, after=len(far.text))
    assert message["status"] == "done"
    assert far.text + rest == stored(here, conversation)["content"]


def test_a_stop_signal_lets_an_answer_end_while_the_other_shows_it(pair: tuple[Backend, Backend]) -> None:
    here, there = pair
    conversation, message_id = ask(here)
    reader = Reader(there, message_id)
    eventually("there is text", lambda: reader.has(20))
    assert here.stop() == 0
    assert reader.end()["status"] == "done"
    assert reader.text == stored(there, conversation)["content"]


def test_without_notices_readers_poll(pair: tuple[Backend, Backend], fresh_database_url: str) -> None:
    """A process that cannot listen sees the same, a little later."""
    here, there = pair
    conversation, message_id = ask(here)
    reader = Reader(there, message_id)
    with psycopg.connect(plain_url(fresh_database_url), autocommit=True) as database:
        listening = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
        while reader.ended is None:
            database.execute(listening)
            time.sleep(0.1)
    assert reader.ended["status"] == "done"
    assert reader.text == stored(here, conversation)["content"]


def test_the_writers_database_going_away_marks_nothing_for_good(pod: Pod, fresh_database_url: str) -> None:
    """Given up by the other while its process could not say that it lives, an answer is whole in the end."""
    proxy = DatabaseProxy(fresh_database_url)
    here, there = pod(proxy.url), pod()
    conversation, message_id = ask(here)
    reader = Reader(here, message_id)
    eventually("there is text", lambda: reader.has(20))
    proxy.cut()
    message = reader.end()
    eventually("it is given up", lambda: stored(there, conversation)["status"] == "interrupted")
    proxy.restore()
    eventually("it is stored", lambda: stored(there, conversation)["status"] == "done")
    assert stored(there, conversation)["content"] == message["content"]
    proxy.cut()
