"""A request's whole body is read, and looked at, before anything else sees it."""

import asyncio
from email.message import Message as Header
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.api.http import json_text
from assistant.api.http.rendering import is_openai, refuse
from assistant.errors import AssistantError, BodyTimeoutError, BodyTooLargeError, BusyError, MediaTypeError

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
MAX_HELD_BYTES: Final = 256 * 1024 * 1024
"""Bodies of all requests together; a request holds its body until it has been answered."""
SMALL_BYTES: Final = 64 * 1024
"""Up to here, checking a body on the event loop is quicker than handing it to a thread."""


class ClientLeftError(Exception):
    """The caller hung up before the end of the body."""


class BodyMiddleware:
    """Refuses bodies that are too large, too slow, no JSON, or more than all requests together may hold.

    ``timeout_s`` is for the whole body. What the caller still sends after a refusal is discarded, so that the answer
    is read.
    """

    def __init__(self, app: ASGIApp, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []
        try:
            await self._read_into(chunks, headers, receive)
            body = b"".join(chunks)
            await _check(scope["path"], headers, body)
            await self._app(scope, _replay(body, receive), send)
        except _RefusedError as refused:
            await refuse(scope, receive, send, refused.error)
        except ClientLeftError:
            return
        finally:
            self._held -= sum(map(len, chunks))

    async def _read_into(self, chunks: list[bytes], headers: dict[bytes, bytes], receive: Receive) -> None:
        declared, size, more = headers.get(b"content-length", b"0"), 0, True
        if int(declared) > MAX_BODY_BYTES:
            raise _RefusedError(BodyTooLargeError(MAX_BODY_BYTES))
        try:
            async with asyncio.timeout(self._timeout_s):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientLeftError
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    chunks.append(chunk)
                    self._held += len(chunk)
                    size += len(chunk)
                    self._check_size(size)
        except TimeoutError:
            raise _RefusedError(BodyTimeoutError(self._timeout_s)) from None

    def _check_size(self, size: int) -> None:
        if size > MAX_BODY_BYTES:
            raise _RefusedError(BodyTooLargeError(MAX_BODY_BYTES))
        if self._held > MAX_HELD_BYTES:
            raise _RefusedError(BusyError(1))


class _RefusedError(Exception):
    """Ends reading; ``error`` is what the caller is told. Errors of the application pass by it."""

    def __init__(self, error: AssistantError) -> None:
        super().__init__(error.message)
        self.error = error


async def _check(path: str, headers: dict[bytes, bytes], body: bytes) -> None:
    """Raises _RefusedError; the application's API answers 422 where a field is wrong, as it does for all fields."""
    if not body:
        return
    try:
        _check_media_type(headers)
        if len(body) <= SMALL_BYTES:
            json_text.check(body)
        else:
            await asyncio.to_thread(json_text.check, body)
    except AssistantError as error:
        if error.param is not None and not is_openai(path):
            error.status = 422
        raise _RefusedError(error) from None


def _check_media_type(headers: dict[bytes, bytes]) -> None:
    header = Header()
    header["content-type"] = given = headers.get(b"content-type", b"").decode("latin-1")
    kind, subtype = header.get_content_maintype(), header.get_content_subtype()
    if not given or kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise MediaTypeError("Send JSON, and the header 'Content-Type: application/json' with it.")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise MediaTypeError("Send the body as it is, without a Content-Encoding.")


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body in one piece; after it, whatever the connection says, which is that the caller has hung up."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
