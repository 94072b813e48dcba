"""A streaming client for OpenAI-compatible servers that notes when each chunk arrives.

While an answer streams, arrival times and bytes are only kept; they are parsed after its end, so that the client takes
as little as possible of the machine it measures.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running server: where it listens, and what its requests carry besides the scenario's fields.

    ``keys`` are the API keys of its users; a request uses the one of its user, and none where there are none.
    """

    name: str
    url: str
    extras: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A server-sent event: when its last byte arrived (monotonic seconds), and its data."""

    at: float
    data: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One request as its caller saw it. Times are monotonic seconds; ``arrivals`` are those of chunks with text.

    ``finish_reason`` is None when the caller cut the connection, ``error`` is what the server or the connection said.
    """

    sent_at: float
    headers_at: float
    ended_at: float
    status: int
    headers: Mapping[str, str]
    arrivals: tuple[float, ...] = ()
    text: str = ""
    model: str = ""
    finish_reason: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    @property
    def ttft(self) -> float:
        """Seconds from sending the request to the first text."""
        return self.arrivals[0] - self.sent_at

    @property
    def gaps(self) -> tuple[float, ...]:
        """Seconds between chunks that follow each other."""
        return tuple(later - earlier for earlier, later in itertools.pairwise(self.arrivals))

    @property
    def decode_rate(self) -> float:
        """Tokens a second from the first to the last."""
        return (self.completion_tokens - 1) / (self.arrivals[-1] - self.arrivals[0])

    @property
    def prefill_rate(self) -> float:
        """Prompt tokens a second, taken over the whole time to the first token."""
        return self.prompt_tokens / self.ttft

    def summary(self) -> dict[str, Any]:
        """For the file of raw numbers: times relative to the request, without its text."""
        return {
            "status": self.status, "ended": self.ended_at - self.sent_at,
            "arrivals": [round(at - self.sent_at, 5) for at in self.arrivals], "finish_reason": self.finish_reason,
            "prompt_tokens": self.prompt_tokens, "cached_tokens": self.cached_tokens,
            "completion_tokens": self.completion_tokens, "timings": dict(self.timings), "error": self.error,
            "headers": {name: value for name, value in self.headers.items() if name.lower().startswith("x-")},
        }  # fmt: skip


class RequestFailedError(Exception):
    """A request that a figure is made of did not end as it should."""


class Stream:
    """A request under way, read by a task of its own."""

    def __init__(self, http: httpx.AsyncClient, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self._pieces: list[tuple[float, bytes]] = []
        self._events = 0
        self._progress = asyncio.Event()
        self._response: httpx.Response | None = None
        self._error: str | None = None
        self._sent_at = self._headers_at = self._ended_at = time.monotonic()
        self._task = asyncio.create_task(self._read(http, path, body, headers))

    async def _read(
        self, http: httpx.AsyncClient, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        self._sent_at = time.monotonic()
        try:
            async with http.stream("POST", path, json=body, headers=dict(headers)) as response:
                self._headers_at, self._response = time.monotonic(), response
                async for piece in response.aiter_raw():
                    self._pieces.append((time.monotonic(), piece))
                    self._events += piece.count(b"\n\n")
                    self._progress.set()
        except httpx.HTTPError as error:
            self._error = f"{type(error).__name__}: {error}"
        finally:
            self._ended_at = time.monotonic()
            self._progress.set()

    @property
    def over(self) -> bool:
        return self._task.done()

    async def reaches(self, events: int) -> None:
        """Wait until so many events have come, or the stream is over."""
        while self._events < events and not self._task.done():
            self._progress.clear()
            waiting = asyncio.ensure_future(self._progress.wait())
            await asyncio.wait((waiting, self._task), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()

    def cut(self) -> None:
        """Close the connection, as a caller who has lost interest does."""
        self._task.cancel()

    async def end(self) -> Reply:
        """Everything, once the stream is over or has been cut."""
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        response = self._response
        status = 0 if response is None else response.status_code
        reply = Reply(
            self._sent_at, self._headers_at, self._ended_at, status, {} if response is None else response.headers,
            error=self._error,
        )  # fmt: skip
        return read_reply(reply, self._pieces)


class Client:
    """Requests to one server; several users may share it. Use it as an asynchronous context."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        # a connection for each request: servers close kept ones when they like, and that would count as a failure
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._http = httpx.AsyncClient(base_url=endpoint.url, timeout=None, limits=limits, trust_env=False)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    def start(self, body: Mapping[str, Any], user: int = 0) -> Stream:
        """Send a request as a stream; one with ``messages`` is a chat."""
        path = "/v1/chat/completions" if "messages" in body else "/v1/completions"
        keys = self.endpoint.keys
        headers = {"Authorization": f"Bearer {keys[user % len(keys)]}"} if keys else {}
        whole = {"stream": True, "stream_options": {"include_usage": True}, **self.endpoint.extras, **body}
        return Stream(self._http, path, whole, headers)

    async def ask(self, body: Mapping[str, Any], user: int = 0) -> Reply:
        """Send a request and read its whole answer. Raises RequestFailedError if there is none."""
        return required(await self.start(body, user).end())

    async def ask_all(self, bodies: Sequence[Mapping[str, Any]]) -> list[Reply]:
        """Send all requests at once, each as a user of its own."""
        streams = [self.start(body, user) for user, body in enumerate(bodies)]
        return [required(await stream.end()) for stream in streams]


def required(reply: Reply) -> Reply:
    """The reply, if it is a whole answer with text in it. Raises RequestFailedError otherwise."""
    if reply.status != httpx.codes.OK or reply.error or not reply.arrivals or reply.finish_reason is None:
        raise RequestFailedError(f"status {reply.status}, {len(reply.arrivals)} chunks of text, {reply.error}")
    return reply


def read_reply(reply: Reply, pieces: Sequence[tuple[float, bytes]]) -> Reply:
    """Fill in what a response's bytes say; ``reply`` has its times, status and headers."""
    if reply.status != httpx.codes.OK:
        said = b"".join(data for _, data in pieces).decode(errors="replace")
        return dataclasses.replace(reply, error=reply.error or said or None)
    arrivals: list[float] = []
    text: list[str] = []
    facts: dict[str, Any] = {}
    for chunk in read_events(pieces):
        if chunk.data == "[DONE]":
            continue
        data = json.loads(chunk.data)
        if piece := _text(data):
            arrivals.append(chunk.at)
            text.append(piece)
        facts |= _facts(data)
    return dataclasses.replace(reply, arrivals=tuple(arrivals), text="".join(text), **facts)


def read_events(pieces: Iterable[tuple[float, bytes]]) -> list[Chunk]:
    """Server-sent events of a response that arrived in ``pieces``; comments and incomplete events are left out."""
    events: list[Chunk] = []
    rest = b""
    for at, piece in pieces:
        *whole, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n\n")
        for event in whole:
            lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
            if lines:
                events.append(Chunk(at, b"\n".join(lines).decode()))
    return events


def _text(data: Mapping[str, Any]) -> str:
    choices: Sequence[Mapping[str, Any]] = data.get("choices") or ({},)
    return choices[0].get("text") or (choices[0].get("delta") or {}).get("content") or ""


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a reply that a chunk settles."""
    facts: dict[str, Any] = {}
    if "error" in data:
        facts["error"] = json.dumps(data["error"])
    if model := data.get("model"):
        facts["model"] = model
    if (choices := data.get("choices")) and (reason := choices[0].get("finish_reason")):
        facts["finish_reason"] = reason
    if timings := data.get("timings"):
        facts["timings"] = timings
    if usage := data.get("usage"):
        facts |= {"prompt_tokens": usage["prompt_tokens"], "completion_tokens": usage["completion_tokens"]}
        facts["cached_tokens"] = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return facts


async def each_at(times: Iterable[float]) -> AsyncIterator[int]:
    """Number the moments of ``times`` (seconds from now) as they come."""
    began = time.monotonic()
    for number, at in enumerate(times):
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        yield number
