"""Which errors an operation may answer with, and how they look."""

from http import HTTPStatus
from typing import Any, Final

from assistant.api.http.rendering import is_openai
from assistant.api.http.standing import STANDING_HEADERS
from assistant.api.http.waiting import WAIT_HEADER
from assistant.api.openai.responses import ErrorBody
from assistant.api.schemas import ProblemOut

CAUSES: Final = {
    400: "The request cannot be honoured as it stands; `param` names the field",
    401: "No valid API key or session came with the request",
    403: "Not for this person, or the request comes from another site",
    404: "There is no such thing, or it is not yours",
    408: "The body did not arrive in time",
    409: "It cannot be done in the present state",
    413: "The body is larger than the limit",
    415: "The body is not declared as JSON",
    422: "A field is missing or wrong; `param` names it",
    429: "The server is full; come back after `Retry-After` seconds",
    500: "Something failed here; the log has the details under the request id",
    503: "The database or the model is away for now; come back after `Retry-After` seconds",
}
HEADERS: Final[dict[str, Any]] = {
    "X-Request-Id": {
        "description": "Taken over from the request, or made; the log lines of the request carry it",
        "required": True,
        "schema": {"type": "string", "pattern": r"^[\w.-]{1,64}$"},
    },
    "Retry-After": {
        "description": "Seconds until there is room, as predicted",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    WAIT_HEADER: {
        "description": "Seconds that the request was expected to wait for its start when it came",
        "required": True,
        "schema": {"type": "number", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "How to sign in", "required": True, "schema": {"type": "string"}},
} | {
    name: {"description": f"{text}. Only where the key has such a limit", "schema": {"type": "string"}}
    for name, text in STANDING_HEADERS.items()
}  # fmt: skip
CONFLICTS: Final = frozenset(
    {
        "/api/admin/users",
        "/api/admin/users/{user_id}",
        "/api/admin/users/{user_id}/link",
        "/api/auth/link/setup",
        "/api/comparisons/{comparison_id}/again",
        "/api/comparisons/{comparison_id}/end",
        "/api/comparisons/{comparison_id}/vote",
        "/api/conversations/{conversation_id}",
        "/api/conversations/{conversation_id}/comparisons",
        "/api/conversations/{conversation_id}/messages",
        "/api/me",
        "/api/me/keys",
        "/api/messages/{message_id}/continue",
        "/api/messages/{message_id}/regenerate",
        "/api/models/challenger",
        "/api/models/rollback",
        "/api/models/{version_id}/challenge",
        "/api/models/{version_id}/promote",
        "/api/prompts",
    }
)


def _response(status: int, media_type: str, shape: str) -> dict[str, Any]:
    names = ["X-Request-Id"]
    if status in (429, 503):
        names.append("Retry-After")
    if status == 429:
        names += STANDING_HEADERS
    if status == 401:
        names.append("WWW-Authenticate")
    return {
        "description": CAUSES[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {media_type: {"schema": {"$ref": f"#/components/schemas/{shape}"}}},
    }


def _name(status: int, *, openai: bool) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "") + ("Error" if openai else "Problem")


RESPONSES: Final[dict[str, Any]] = {
    _name(status, openai=True): _response(status, "application/json", ErrorBody.__name__) for status in CAUSES
} | {
    _name(status, openai=False): _response(status, "application/problem+json", ProblemOut.__name__)
    for status in CAUSES
}  # fmt: skip


def errors_of(path: str, operation: dict[str, Any], *, public: bool) -> dict[str, Any]:
    """The error responses of an operation, as references, by status."""
    openai = is_openai(path)
    statuses = set() if path in ("/health", "/ready", "/metrics") else {429, 500, 503}
    if "requestBody" in operation:
        statuses |= {400, 408, 413, 415}
    if "requestBody" in operation or operation.get("parameters"):
        statuses.add(400 if openai else 422)
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "{" in path or "after" in names or (openai and "requestBody" in operation):
        statuses.add(404)
    if names & {"before", "q"}:
        statuses.add(400)
    if not public:
        statuses |= {401, 403}
    if path.startswith("/api/auth/"):
        statuses |= {401, 403, 404}
    if path in CONFLICTS:
        statuses.add(409)
    return {
        str(status): {"$ref": f"#/components/responses/{_name(status, openai=openai)}"} for status in sorted(statuses)
    }
