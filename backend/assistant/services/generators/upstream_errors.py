"""What another server refuses or fails at, as our errors: callers see what they can mend, the log has the rest."""

import json
import logging
import math
import re
from collections.abc import Collection
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from assistant.errors import AssistantError, BusyError, InvalidRequestError, UnavailableError

logger = logging.getLogger(__name__)

BODY_MAX: Final = 64 << 10
RETRY_AFTER_S: Final = 5.0
_TOO_LONG: Final = ("context_length_exceeded", "exceed_context_size_error")
_TOO_LONG_TEXT: Final = "maximum context length"


class UpstreamError(AssistantError):
    """The upstream server failed, or answered something that is no answer."""

    status = 502
    code = "upstream_failed"

    def __init__(self, message: str = "The upstream server failed on this request.") -> None:
        super().__init__(message)


class UpstreamTimeoutError(UpstreamError):
    status = 504
    code = "upstream_timeout"


class UpstreamUnavailableError(UnavailableError):
    """The upstream server cannot be reached, or does not take our requests at all."""

    code = "upstream_unavailable"

    def __init__(self, message: str = "The upstream server cannot be reached.", retry_after_s: float = 5) -> None:
        super().__init__(message)
        self.retry_after_s = max(1, math.ceil(retry_after_s))


class UpstreamAwayError(UpstreamUnavailableError):
    """It may well answer when it is asked again."""


async def refusal(response: httpx.Response, sent: Collection[str]) -> AssistantError:
    """The error that a response with another status than 200 means; ``sent`` are the fields of the request."""
    status, said = response.status_code, said_in(await _beginning(response))
    logger.warning("the upstream server refused a request", extra={"status": status, "type": said.get("type")})
    if status == 429:
        return BusyError(retry_after(response))
    if status in (502, 503):
        return UpstreamAwayError("The upstream server is not available now.", retry_after(response))
    if status in (401, 403):
        return UpstreamUnavailableError("The upstream server refuses this server's key; see UPSTREAM_API_KEY.")
    if status == 404:
        return UpstreamUnavailableError("The upstream server does not know this call or model; see UPSTREAM_MODEL.")
    if 400 <= status < 500:
        return _invalid(said, sent)
    if status == 501:
        return InvalidRequestError("The upstream server cannot do this.")
    return UpstreamError()


def said_in(body: bytes) -> dict[str, Any]:
    """The error object of a body, as OpenAI, llama.cpp, vLLM and Ollama write it; empty where there is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    error = content.get("error", content) if isinstance(content, dict) else {}
    return error if isinstance(error, dict) else {"message": str(error)}


def refuses_field(error: AssistantError, *names: str) -> bool:
    """Whether a refusal is about one of these fields."""
    return isinstance(error, InvalidRequestError) and (
        error.param in names or any(name in error.message for name in names)
    )


def retry_after(response: httpx.Response) -> float:
    """Seconds of the ``Retry-After`` header, which may be a date; 5 where there is none."""
    value = response.headers.get("Retry-After", "")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
        return max(1.0, (until - parsedate_to_datetime(response.headers["Date"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return RETRY_AFTER_S


def _invalid(said: dict[str, Any], sent: Collection[str]) -> InvalidRequestError:
    """Their message, with the field at fault: the one they name, or one of ours that the message mentions."""
    message = str(said.get("message") or "it gives no reason")[:1000]
    param = said.get("param")
    if not isinstance(param, str):
        param = next((name for name in sent if _names(message, name)), None)
    error = InvalidRequestError(f"The upstream server refuses this request: {message}", param=param)
    if {said.get("code"), said.get("type")} & set(_TOO_LONG) or _TOO_LONG_TEXT in message:
        error.code = "context_length_exceeded"
    return error


def _names(message: str, field: str) -> bool:
    """Whether a message speaks of a field: in quotes, or by a name that is no everyday word."""
    found = re.search(rf"""(?<!\w)(["'`]?){field}\1(?!\w)""", message)
    return found is not None and bool(found[1] or "_" in field)


async def _beginning(response: httpx.Response) -> bytes:
    body = b""
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > BODY_MAX:
                break
    except httpx.HTTPError:
        return b""
    return body
