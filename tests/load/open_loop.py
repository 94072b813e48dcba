"""Requests that arrive at a given rate, however slow the answers are, and what the server looked like meanwhile."""

import asyncio
import contextlib
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.load.clients import Client
from tests.load.outcomes import Attempt

SAMPLE_S: Final = 2.0
PODS_EVERY: Final = 5
"""Samples between two questions for the number of pods."""
GAUGES: Final = {"in_system": "codellama_requests_in_system", "memory_bytes": "process_resident_memory_bytes"}


@dataclass(frozen=True, slots=True)
class Phase:
    """``rps`` requests a second on average, for so many ``seconds``."""

    rps: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The server ``at`` so many seconds after the beginning; None where it did not say."""

    at: float
    in_system: float | None
    memory_bytes: float | None
    pods: int | None


def arrivals(phases: Iterable[Phase], seed: int, start: float = 0.0) -> Iterator[float]:
    """Times of requests in seconds, from ``start`` on: a Poisson process whose rate changes with the phases."""
    rng = random.Random(f"{seed}:{start}")
    for phase in phases:
        at = start
        while phase.rps > 0 and (at := at + rng.expovariate(phase.rps)) < start + phase.seconds:
            yield at
        start += phase.seconds


class OpenLoop:
    """Sends requests when they are due. ``timeout_s``: after that a request has failed."""

    def __init__(self, client: Client, body: Callable[[int], dict[str, Any]], timeout_s: float) -> None:
        self._client, self._body, self._timeout_s = client, body, timeout_s
        self._began = time.monotonic()
        self._sent = 0
        self._under_way: dict[asyncio.Task[None], float] = {}
        self.attempts: list[Attempt] = []

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    @property
    def waiting(self) -> list[float]:
        """How long each request that is under way has taken so far."""
        return [self.elapsed - at for at in self._under_way.values()]

    async def send(self, times: Iterable[float]) -> None:
        """Send a request at each of ``times``, in seconds since the beginning; what becomes of it is not waited for."""
        for at in times:
            await asyncio.sleep(max(0.0, at - self.elapsed))
            self._sent += 1
            task = asyncio.create_task(self._attempt(self._sent, at))
            self._under_way[task] = at
            task.add_done_callback(self._under_way.pop)

    async def finish(self) -> None:
        """Wait for all that is under way."""
        while self._under_way:
            await asyncio.wait(list(self._under_way))

    async def _attempt(self, number: int, at: float) -> None:
        stream = self._client.start(self._body(number), user=number)
        reply = asyncio.create_task(stream.end())
        done, _ = await asyncio.wait((reply,), timeout=self._timeout_s)
        if done:
            self.attempts.append(Attempt.of(reply.result(), self._began, at))
            return
        stream.cut()
        await reply
        late = f"not answered within {self._timeout_s:g} s"
        self.attempts.append(Attempt(at, "failed", self._timeout_s, error=late))


class Watch:
    """Asks for the server's metrics, and for its pods where kubectl answers, until it is left."""

    def __init__(self, loop: OpenLoop, metrics_url: str) -> None:
        self.samples: list[Sample] = []
        self._loop, self._url = loop, metrics_url
        self._kubectl = shutil.which("kubectl")

    async def __aenter__(self) -> "Watch":
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _watch(self) -> None:
        ready: int | None = None
        async with httpx.AsyncClient(timeout=SAMPLE_S, trust_env=False) as http:
            while True:
                if len(self.samples) % PODS_EVERY == 0 and self._kubectl:
                    ready = await pods(self._kubectl)
                gauges = await read_gauges(http, self._url)
                figures = {name: gauges.get(metric) for name, metric in GAUGES.items()}
                self.samples.append(Sample(self._loop.elapsed, **figures, pods=ready))
                await asyncio.sleep(SAMPLE_S)


async def read_gauges(http: httpx.AsyncClient, url: str) -> dict[str, float]:
    """Metrics without labels, by name; empty where there are none to be had."""
    try:
        response = await http.get(url)
    except httpx.HTTPError:
        return {}
    if response.status_code != httpx.codes.OK:
        return {}
    pairs = (line.rsplit(" ", 1) for line in response.text.splitlines() if line and line[0] != "#" and "{" not in line)
    found: dict[str, float] = {}
    for pair in pairs:
        with contextlib.suppress(ValueError):
            name, value = pair
            found[name] = float(value)
    return found


async def pods(kubectl: str) -> int | None:
    """Ready backend pods; None where kubectl reaches no such deployment."""
    process = await asyncio.create_subprocess_exec(
        kubectl, "-n", "codellama", "get", "deployment", "codellama-deployment", "--request-timeout=2s",
        "-o", "jsonpath={.status.readyReplicas}", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await process.communicate()
    return int(out) if process.returncode == 0 and out.strip().isdigit() else None
