"""Rolling update and scale-down under streaming traffic, with processes for pods and real nginx before them.

What Kubernetes does is played: a pod gets requests from when it is ready; one that has to go gets none from then on,
and its SIGTERM after the seconds of ``preStop``, which stand for the time until nginx and kube-proxy have noticed. A
drain evicts pods in the same way.
"""

import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.api.people import ENVIRONMENT, signed_in
from tests.kubernetes.nginx_server import running_nginx
from tests.servers import Backend, Line, events, eventually

SETTINGS = {"MOCK_TOKENS_PER_SECOND": "40", "MOCK_SLOTS": "32", "REAP_AFTER_S": "4"}
PRE_STOP_S = 0.5
TOKENS = 60
"""Of an answer: it takes a second and a half."""


class Service(Line):
    """One address for the pods that are ready, as kube-proxy gives it: a new connection goes to any of them."""

    def __init__(self) -> None:
        self.pods: list[Backend] = []
        super().__init__(self._connect_to_one)

    def _connect_to_one(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", random.choice(self.pods).port))


class Deployment:
    """Pods of one database behind a service."""

    def __init__(self, folder: Path, database_url: str, stack: ExitStack) -> None:
        self.service = Service()
        self._stack = stack
        self._numbers = itertools.count()
        self._folder, self._database_url = folder, database_url

    def add(self) -> Backend:
        folder = self._folder / f"pod-{next(self._numbers)}"
        folder.mkdir()
        pod = self._stack.enter_context(Backend(folder, self._database_url, None, **ENVIRONMENT, **SETTINGS))
        self.service.pods.append(pod)
        return pod

    def remove(self, pod: Backend) -> int:
        """Take it out of the endpoints, then end it; returns its exit code."""
        self.service.pods.remove(pod)
        time.sleep(PRE_STOP_S)
        return pod.stop()


@dataclass
class Crowd:
    """Callers who ask again as soon as they have their answer."""

    url: str
    whole: int = 0
    lost: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, *callers: Callable[[], str | None]) -> None:
        for caller in callers:
            self._threads.append(threading.Thread(target=self._ask_on, args=(caller,), daemon=True))
            self._threads[-1].start()

    def finish(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a caller never got an answer"

    def more(self, number: int) -> None:
        """Wait for so many more answers."""
        wanted = self.whole + number
        eventually("answers come", lambda: self.lost or self.whole >= wanted)

    def _ask_on(self, caller: Callable[[], str | None]) -> None:
        while not self._over.is_set():
            try:
                fault = caller()
            except Exception as error:
                fault = repr(error)
            if fault is None:
                self.whole += 1
            else:
                self.lost.append(fault)


@pytest.fixture
def deployment(fresh_database_url: str, tmp_path: Path) -> Iterator[Deployment]:
    with ExitStack() as stack:
        yield Deployment(tmp_path, fresh_database_url, stack)


@pytest.fixture
def crowd(deployment: Deployment, tmp_path: Path) -> Iterator[Crowd]:
    (tmp_path / "web").mkdir()
    deployment.add()
    with ExitStack() as stack:
        upstream = f"127.0.0.1:{deployment.service.port}"
        port = stack.enter_context(running_nginx(tmp_path / "web", upstream, tmp_path / "nginx"))
        url = f"http://127.0.0.1:{port}"
        admin = stack.enter_context(signed_in(deployment.service.pods[0]))
        key = admin.post("/api/me/keys", json={"name": "crowd"}).json()["key"]
        crowd = Crowd(url)
        client = stack.enter_context(
            httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, verify=False)
        )
        crowd.start(*[lambda: complete(client)] * 4, *[lambda: converse(client)] * 2)
        yield crowd


def complete(client: httpx.Client) -> str | None:
    """A script's stream; returns what is wrong with it."""
    body = {"model": "default", "prompt": "Write", "max_tokens": TOKENS, "stream": True}
    with client.stream("POST", "/v1/completions", json=body) as response:
        if response.status_code != 200:
            return f"{response.status_code} {response.read()!r}"
        chunks = [data for _, data, _ in events(response)]
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk.get("choices", [])]
    return None if reasons and reasons[-1] in ("stop", "length") else f"broke off after {len(chunks)} chunks"


def converse(client: httpx.Client) -> str | None:
    """A browser's question, and its answer followed to the end, with as many connections as it takes."""
    conversation = client.post("/api/conversations", json={}).raise_for_status().json()["id"]
    sent = client.post(f"/api/conversations/{conversation}/messages", json={"content": "Write"})
    answer = sent.raise_for_status().json()["assistant_message"]["id"]
    text, ended = "", None
    while ended is None:
        with client.stream("GET", f"/api/generations/{answer}/events", params={"after": len(text)}) as response:
            for name, data, _ in events(response):
                if name == "text":
                    text += data["text"]
                elif name == "snapshot":
                    text = data["text"]
                elif name == "end":
                    ended = data
    stored = client.get(f"/api/conversations/{conversation}").raise_for_status().json()["messages"][-1]
    if stored["status"] != "done":
        return f"the answer is {stored['status']}"
    return None if stored["content"] == text else f"{len(stored['content'])} characters are stored, {len(text)} came"


def test_rolling_update_and_scale_down_lose_no_request(deployment: Deployment, crowd: Crowd) -> None:
    old = [*deployment.service.pods, deployment.add()]
    crowd.more(10)
    for pod in old:  # maxSurge 1, maxUnavailable 0
        deployment.add()
        crowd.more(6)
        assert deployment.remove(pod) == 0
        crowd.more(6)
    assert deployment.remove(deployment.service.pods[0]) == 0, "scaled down to one"
    crowd.more(6)
    crowd.finish()
    assert crowd.lost == []


def test_a_pod_that_is_killed_instead_loses_what_it_was_writing(deployment: Deployment, crowd: Crowd) -> None:
    """What the drain is for, and that the crowd would notice."""
    first = deployment.service.pods[0]
    deployment.add()
    crowd.more(6)
    deployment.service.pods.remove(first)
    first.kill()
    eventually("something is lost", lambda: crowd.lost)
    crowd.finish()
