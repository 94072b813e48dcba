"""A server that speaks OpenAI's API on one port of this machine, and misbehaves on request."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

MODELS = {"object": "list", "data": [{"id": "fake", "object": "model", "owned_by": "somebody", "max_model_len": 4096}]}


@dataclass
class Exchange:
    """One request that has come, and the way to answer it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    writer: asyncio.StreamWriter
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, data: str | bytes) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)
        await self.writer.drain()

    async def refuse(self, status: int, body: Any, **headers: str) -> None:
        content = json.dumps(body)
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        await self.send(f"HTTP/1.1 {status} No\r\nContent-Length: {len(content)}\r\n{lines}\r\n{content}")

    async def accept(self) -> None:
        await self.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")

    async def event(self, **content: Any) -> None:
        await self.send(f"data: {json.dumps(content)}\n\n")

    async def write(self, text: str, **choice: Any) -> None:
        await self.event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None, **choice}])

    async def finish(self, reason: str = "stop", prompt: int = 7, completion: int = 2, cached: int = 3) -> None:
        await self.event(choices=[{"index": 0, "delta": {}, "finish_reason": reason}])
        details = {"cached_tokens": cached}
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "prompt_tokens_details": details}
        await self.event(choices=[], usage=usage)
        await self.send("data: [DONE]\n\n")


Behaviour = Callable[[Exchange], Awaitable[None]]


async def well(exchange: Exchange) -> None:
    """What a good server does."""
    await exchange.accept()
    await exchange.write("Hello")
    await exchange.write(" there")
    await exchange.finish()


def refusing(status: int, body: Any = None, **headers: str) -> Behaviour:
    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(status, body or {"error": {"message": "the inside of the server"}}, **headers)

    return refuse


class FakeUpstream:
    """Answers the n-th call with the n-th behaviour, further ones with the last; the list of models always."""

    def __init__(self, *behaviours: Behaviour, models: Any = MODELS) -> None:
        self.behaviours = list(behaviours)
        self.models = models
        self.exchanges: list[Exchange] = []
        self.called = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeUpstream"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/"
        tasks = asyncio.all_tasks()
        try:
            yield self
        finally:
            server.close()
            for task in asyncio.all_tasks() - tasks:
                task.cancel()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        exchange = Exchange(head[0].split()[1], headers, json.loads(body or b"{}"), writer)
        if exchange.path == "/v1/models":
            await exchange.refuse(200, self.models)
            return
        self.exchanges.append(exchange)
        self.called.set()
        watch = asyncio.create_task(self._watch(reader, exchange))
        try:
            await self.behaviours[min(len(self.exchanges), len(self.behaviours)) - 1](exchange)
        finally:
            watch.cancel()
            exchange.hung_up.set()

    @staticmethod
    async def _watch(reader: asyncio.StreamReader, exchange: Exchange) -> None:
        try:
            await reader.read()
        finally:
            exchange.hung_up.set()
