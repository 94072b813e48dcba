"""Calls to another server: patience, new tries before the first token, and the two ways to fill in."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import urljoin

import httpx

from assistant.errors import InvalidRequestError
from assistant.services.generators.pieces import Piece
from assistant.services.generators.types import InfillPrompt, TextRequest, ToolUse
from assistant.services.generators.upstream_errors import (
    UpstreamAwayError,
    UpstreamError,
    UpstreamTimeoutError,
    refusal,
    refuses_field,
)
from assistant.services.generators.upstream_reply import BROKE_OFF, DONE, Reader, data_lines
from assistant.services.generators.upstream_request import Call, Dialect, call_for

BACKOFF_S: Final = (0.2, 0.6)
"""Pauses before the second and the third try."""
BILL_S: Final = 5.0
"""How long to wait for the token counts that follow a text."""
CANNOT_FILL_IN: Final = "The upstream server cannot fill in: it takes neither 'suffix' nor llama.cpp's /infill."


class Calls:
    """Makes calls with one client. ``first_token_s`` bounds the wait for the first token and every later silence."""

    def __init__(self, client: httpx.AsyncClient, url: str, first_token_s: float) -> None:
        self._client = client
        self._url = url
        self._first_token_s = first_token_s
        self._suffix_refused = False

    def check(self, request: TextRequest, dialect: Dialect) -> None:
        """Raise InvalidRequestError for what this kind of server has no words for."""
        call_for(request, "", 1, dialect, native=self._fills_natively(request, dialect))

    async def pieces(self, request: TextRequest, model: str, limit: int, dialect: Dialect) -> AsyncGenerator[Piece]:
        """The answer to a request. To fill in, ``suffix`` is tried first, and ``/infill`` where that is refused."""

        def answer(*, native: bool) -> contextlib.aclosing[AsyncGenerator[Piece]]:
            call = call_for(request, model, limit, dialect, native=native)
            return contextlib.aclosing(self._tried(call, request))

        if not self._fills_natively(request, dialect):
            try:
                async with answer(native=False) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except InvalidRequestError as error:
                if not isinstance(request.prompt, InfillPrompt) or not refuses_field(error, "suffix", "insert"):
                    raise
        async with answer(native=True) as pieces:
            async for piece in pieces:
                self._suffix_refused = True
                yield piece

    def _fills_natively(self, request: TextRequest, dialect: Dialect) -> bool:
        return isinstance(request.prompt, InfillPrompt) and (self._suffix_refused or dialect.native)

    async def _tried(self, call: Call, request: TextRequest) -> AsyncGenerator[Piece]:
        for pause in (*BACKOFF_S, None):
            begun = False
            try:
                async with contextlib.aclosing(self._once(call, _reader(call, request))) as pieces:
                    async for piece in pieces:
                        begun = begun or bool(piece.tokens)
                        yield piece
                return
            except UpstreamAwayError:
                if pause is None:
                    raise
                if begun:
                    raise UpstreamError(BROKE_OFF) from None
                await asyncio.sleep(pause)

    async def _once(self, call: Call, reader: Reader) -> AsyncGenerator[Piece]:
        try:
            async with asyncio.timeout(self._first_token_s) as patience, self._post(call) as response:
                await self._require_ok(response, call)
                yield Piece()
                async for data in data_lines(response.aiter_bytes()):
                    piece = reader.read(data)
                    yield piece
                    if piece.tokens or reader.ended:
                        more_s = BILL_S if reader.ended else self._first_token_s
                        patience.reschedule(asyncio.get_running_loop().time() + more_s)
                    if data == DONE:
                        return
        except TimeoutError:
            if not reader.ended:
                text = f"The upstream server has sent nothing for {self._first_token_s:.0f} s."
                raise UpstreamTimeoutError(text) from None
        except httpx.HTTPError:
            if not reader.ended:
                raise UpstreamAwayError from None
        if not reader.ended:
            raise UpstreamAwayError

    def _post(self, call: Call) -> contextlib.AbstractAsyncContextManager[httpx.Response]:
        body = json.dumps(call.body).encode()
        url = urljoin(self._url, call.path)
        return self._client.stream("POST", url, content=body, headers={"Content-Type": "application/json"})

    @staticmethod
    async def _require_ok(response: httpx.Response, call: Call) -> None:
        if call.is_native and response.status_code in (404, 405, 501):
            raise InvalidRequestError(CANNOT_FILL_IN, param="suffix")
        if response.status_code != 200:
            raise await refusal(response, call.body)


def _reader(call: Call, request: TextRequest) -> Reader:
    use = request.format
    must_call = isinstance(use, ToolUse) and (use.named is not None or use.choice == "required")
    return Reader(native=call.is_native, top_logprobs=request.logprobs or 0, must_call=must_call)
