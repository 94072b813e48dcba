"""Work for a caller who may hang up before it is done."""

import asyncio
import json
from collections.abc import AsyncIterable, Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from assistant.errors import AssistantError

T = TypeVar("T")


STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """Server-sent events; ``close`` is called when they end, also for a caller who has gone before they began."""

    def __init__(
        self, lines: AsyncIterable[str], close: Callable[[], object], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(lines, media_type="text/event-stream", headers=STREAM_HEADERS | dict(headers or {}))
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()


def sse(payload: dict[str, Any]) -> str:
    """A server-sent event without a name."""
    return f"data: {json.dumps(payload, ensure_ascii=False, separators=(',', ':'))}\n\n"


class ClientGoneError(AssistantError):
    """The caller hung up; nobody reads this. The status is nginx's."""

    status = 499
    code = "client_closed_request"


async def until_disconnected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, which is cancelled when the caller hangs up. Raises ClientGoneError then."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError("The caller hung up.")
        return task.result()
    finally:
        for each in (task, watch):
            each.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
