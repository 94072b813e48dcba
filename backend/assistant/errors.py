"""One hierarchy of errors that reach a caller; ``assistant.api.http.rendering`` turns them into responses."""

import math


class AssistantError(Exception):
    """Base: ``status`` is the HTTP status, ``code`` the machine-readable cause, ``param`` the field at fault."""

    status = 500
    code = "internal_error"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    @property
    def headers(self) -> dict[str, str]:
        return {}


class InvalidRequestError(AssistantError):
    """The request cannot be honoured as it stands; ``param`` names the field."""

    status = 400
    code = "invalid_request"


class UnsupportedParameterError(InvalidRequestError):
    code = "unsupported_parameter"

    def __init__(self, param: str, hint: str = "leave it out") -> None:
        super().__init__(f"'{param}' is not supported here; {hint}.", param=param)


class ContextLengthError(InvalidRequestError):
    """The prompt is longer than the context."""

    code = "context_length_exceeded"

    def __init__(self, tokens: int, limit: int, *, at_least: bool = False, param: str | None = None) -> None:
        count = f"at least {tokens}" if at_least else str(tokens)
        self.tokens, self.limit, self.at_least = tokens, limit, at_least
        super().__init__(
            f"The prompt has {count} tokens but this model reads at most {limit}; shorten it by {tokens - limit}.",
            param=param,
        )


class BodyTooLargeError(InvalidRequestError):
    status = 413
    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than {limit_bytes // 2**20} MiB; send less at once.")


class BodyTimeoutError(InvalidRequestError):
    status = 408
    code = "body_timeout"

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"The body did not arrive within {limit_s:g} s; the connection is closed.")

    @property
    def headers(self) -> dict[str, str]:
        return {"Connection": "close"}


class MediaTypeError(InvalidRequestError):
    """The body is not declared as JSON."""

    status = 415
    code = "unsupported_media_type"


class UnauthenticatedError(AssistantError):
    status = 401
    code = "unauthenticated"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class ForbiddenError(AssistantError):
    status = 403
    code = "forbidden"


class NotFoundError(AssistantError):
    status = 404
    code = "not_found"


class ModelNotFoundError(NotFoundError):
    code = "model_not_found"


class ConflictError(AssistantError):
    status = 409
    code = "conflict"


class BusyError(AssistantError):
    """The queue is full; ``retry_after_s`` is the predicted time until there is room."""

    status = 429
    code = "queue_full"

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = max(1, math.ceil(retry_after_s))
        super().__init__(f"The server is full; try again in {self.retry_after_s} s.")

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class UnavailableError(AssistantError):
    """Something this call needs is away for now: the model or the database."""

    status = 503
    code = "unavailable"
    retry_after_s = 5

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class DatabaseUnavailableError(UnavailableError):
    code = "database_unavailable"

    def __init__(self) -> None:
        super().__init__("The database cannot be reached; nothing was saved. Try again in a moment.")


class ModelUnavailableError(UnavailableError):
    code = "model_unavailable"

    def __init__(self) -> None:
        super().__init__("No model is loaded yet; see /ready for the reason.")
