"""A text stream that begins when its turn has come."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from assistant.engine.types import FinishReason, Timings
from assistant.errors import AssistantError, BusyError
from assistant.services.generators.types import EndEvent, Event, ModelIdentity, TextStream


class LaterStream:
    """The TextStream of a request that is made once ``begin`` is called; until then nothing of it costs anything.

    It has been promised, so a full queue only delays it. ``on_start`` is called when it is about to be made.
    """

    prompt_tokens = 0
    expected_wait_s = 0.0

    def __init__(self, model: ModelIdentity, start: Callable[[], Awaitable[TextStream]]) -> None:
        self.model = model
        self.on_start: Callable[[], None] = lambda: None
        self._start = start
        self._turn = asyncio.Event()
        self._cancelled = asyncio.Event()
        self._stream: TextStream | None = None

    def begin(self) -> None:
        self._turn.set()

    def cancel(self) -> None:
        self._cancelled.set()
        self._turn.set()
        if self._stream is not None:
            self._stream.cancel()

    async def __aiter__(self) -> AsyncIterator[Event]:
        await self._turn.wait()
        self.on_start()
        try:
            stream = await self._started()
        except AssistantError as error:
            yield EndEvent(FinishReason.ERROR, _NOTHING, error.message, cause=error)
            return
        if stream is None:
            yield EndEvent(FinishReason.CANCELLED, _NOTHING)
            return
        async for event in stream:
            yield event

    async def _started(self) -> TextStream | None:
        while not self._cancelled.is_set():
            try:
                self._stream = await self._start()
            except BusyError as error:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._cancelled.wait(), error.retry_after_s)
                continue
            if self._cancelled.is_set():
                self._stream.cancel()
            return self._stream
        return None


_NOTHING = Timings(prompt_tokens=0, cached_tokens=0, completion_tokens=0, queued_s=0.0, prefill_s=0.0, decode_s=0.0)
