"""The description is complete, and the running server does what it says."""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks

from assistant.commands import openapi
from codellama_core.models import MessageStatus
from tests.api.test_swaps import Versions
from tests.servers import Backend, eventually

DESCRIPTION = openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]
EXAMPLES = 16
"""Random requests for each operation, beside the ones that cover every parameter's edges."""


def strict(description: dict[str, Any]) -> dict[str, Any]:
    """The description where answers may have no field that it does not name, but for those that a caller names."""
    closed = copy.deepcopy(description)
    for name, shape in closed["components"]["schemas"].items():
        if "properties" in shape and name != "InfillAnswer":
            shape["additionalProperties"] = False
    return closed


schema: Any = schemathesis.openapi.from_dict(strict(DESCRIPTION))
load_all_checks()
TRUTHS = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
        "missing_required_header",
    )
]


@pytest.fixture(scope="module")
def described(
    demo_gguf: Path, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """Answers of four tokens at most, so that a thousand of them are quick."""
    folder = tmp_path_factory.mktemp("described")
    with Backend(folder, new_database(), demo_gguf, MAX_TOKENS="4") as backend:
        yield backend


def taken(response: httpx.Response) -> Any:
    """What was begun; nothing while that cannot be yet."""
    return response.json() if response.status_code == 202 else None


@pytest.fixture(scope="module")
def versions(described: Backend, demo_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """Another version is there, to be the challenger."""
    folder = tmp_path_factory.mktemp("versions")
    other = folder / "other.gguf"
    other.write_bytes(demo_gguf.read_bytes() + b"\0")
    versions = Versions(described.environment["DATABASE_URL"], folder / "models")
    versions.add("other", other)
    return versions


@pytest.fixture
def known(described: Backend, versions: Versions) -> dict[str, str]:
    """Ids that exist: a conversation with an answer in it, a comparison to vote on, and one of most other things."""
    versions.challenge("other")  # whatever random requests have done
    with described.client() as client:
        compared = client.post("/api/conversations", json={}).json()["id"]
        path = f"/api/conversations/{compared}/comparisons"
        body = {"content": "hello", "idempotency_key": "one"}
        contest = eventually("two models are compared", lambda: taken(client.post(path, json=body)))
        for side in ("left", "right"):
            client.get(f"/api/generations/{contest[side]['id']}/events")
        conversation = client.post("/api/conversations", json={}).json()["id"]
        question = {"content": "hello", "attachments": [{"name": "a.py", "content": "a = 1"}]}
        sent = client.post(f"/api/conversations/{conversation}/messages", json=question).json()
        message = sent["assistant_message"]["id"]

        def answered() -> bool:
            turns = client.get(f"/api/conversations/{conversation}").json()["messages"]
            return str(turns[-1]["status"]) == MessageStatus.DONE

        eventually("an answer", answered)
        person = {"email": f"{conversation}@example.org", "name": "Spare"}
        file = {"repo": "known", "files": [{"path": f"{conversation}.py", "content": f"x = '{conversation}'"}]}
        client.post("/api/admin/documents", json=file)
        documents = client.get("/api/admin/documents", params={"search": conversation}).json()["items"]
        mine = client.get("/api/me/keys").json()["items"]  # a person may have so many, and no more
        key = (mine or [client.post("/api/me/keys", json={"name": "known"}).json()])[0]["id"]
        return {
            "conversation_id": conversation, "message_id": message, "name": "demo",
            "comparison_id": contest["comparison"]["id"],
            "attachment_id": sent["user_message"]["attachments"][0]["id"],
            "user_id": client.post("/api/admin/users", json=person).json()["user"]["id"],
            "prompt_id": client.post("/api/prompts", json={"title": "T", "content": "C"}).json()["id"],
            "key_id": key,
            "document_id": documents[0]["id"],
        }  # fmt: skip


@schema.parametrize()  # type: ignore[untyped-decorator]
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_running_server_is_as_described(case: Any, described: Backend, known: dict[str, str]) -> None:
    for name, value in known.items():
        if name in case.path_parameters and case.meta.generation.mode.is_positive:
            case.path_parameters[name] = value
    case.call_and_validate(base_url=described.url, checks=TRUTHS, timeout=60)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_says_what_it_takes_and_what_it_gives(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["description"]
    assert operation["tags"]
    given = {status: answer for status, answer in operation["responses"].items() if status < "400"}
    assert given
    for status, answer in given.items():
        assert "X-Request-Id" in answer["headers"]
        shapes = [content["schema"] for content in answer.get("content", {}).values()]
        assert all("$ref" in shape or "anyOf" in shape or shape.get("type") == "string" for shape in shapes), shapes
        assert bool(shapes) == (status not in ("204", "303"))
    if "requestBody" in operation:
        assert operation["requestBody"]["content"]["application/json"]["examples"]
        assert {"400", "408", "413", "415"} <= operation["responses"].keys()


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_errors_are_described_in_the_shape_that_the_path_promises(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    shape = "Problem" if path.startswith("/api") else "ErrorBody"
    for status, answer in operation["responses"].items():
        if status >= "400" and "$ref" in answer:
            name = answer["$ref"].rsplit("/", 1)[1]
            described = DESCRIPTION["components"]["responses"][name]
            (content,) = described["content"].values()
            assert content["schema"]["$ref"].endswith(f"/{shape}")
            assert ("Retry-After" in described["headers"]) == (status in ("429", "503"))


CLOSED = {"POST /api/me/password", "DELETE /api/me"}
"""In local mode there are no passwords and one account; so is everything below /api/auth."""
COMPARED = {"POST /api/conversations/{conversation_id}/comparisons", "POST /api/comparisons/{comparison_id}/vote"}
"""These need two models: ``test_comparisons`` sends their examples."""
EXAMPLE_BODIES = [
    (method, path, name, example["value"])
    for method, path, operation in OPERATIONS
    for content in operation.get("requestBody", {}).get("content", {}).values()
    for name, example in content["examples"].items()
    if not path.startswith("/api/auth/") and f"{method} {path}" not in CLOSED | COMPARED
]


@pytest.mark.parametrize(
    ("method", "path", "name", "body"), EXAMPLE_BODIES, ids=[f"{path} {name}" for _, path, name, _ in EXAMPLE_BODIES]
)
def test_every_example_is_accepted_and_answered_as_described_also_as_a_stream(
    described: Backend, known: dict[str, str], method: str, path: str, name: str, body: dict[str, Any]
) -> None:
    operation = schema[path][method]
    answer = DESCRIPTION["paths"][path][method.lower()]["responses"].get("200", {})
    streams = "text/event-stream" in answer.get("content", {})
    for wanted in (body, body | {"stream": True}) if streams else (body,):
        case = operation.Case(
            path_parameters={key: value for key, value in known.items() if f"{{{key}}}" in path},
            body=wanted,
            media_type="application/json",
        )
        response = case.call_and_validate(base_url=described.url, checks=TRUTHS[:5], timeout=60)
        made_before = path == "/api/admin/users" and response.status_code == 409
        assert response.status_code < 300 or made_before, response.text
        if wanted.get("stream"):
            assert response.headers["content-type"][0].startswith("text/event-stream")


def test_the_server_publishes_the_description_that_clients_are_generated_from(described: Backend) -> None:
    assert httpx.get(f"{described.url}/openapi.json").json() == DESCRIPTION


@pytest.fixture(scope="module")
def guarded(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("guarded")
    with Backend(folder, new_database(), None, AUTH_MODE="accounts", ENGINE="mock") as backend:
        yield backend


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer cl-unknown"}, {"Cookie": "codellama_session=x"}])
@pytest.mark.parametrize(
    ("method", "path", "operation"), [each for each in OPERATIONS if each[2]["security"]],
    ids=[name for name, each in zip(NAMES, OPERATIONS, strict=True) if each[2]["security"]],
)  # fmt: skip
def test_what_needs_a_key_is_closed_without_one(
    guarded: Backend, method: str, path: str, operation: dict[str, Any], headers: dict[str, str]
) -> None:
    url = re.sub(r"\{.*?\}", "0198c0de-0000-7000-8000-000000000000", path)
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples: list[dict[str, Any]] = list(content.get("examples", {}).values())
    body = examples[0]["value"] if examples else None
    with guarded.client() as client:
        response = client.request(method, url, json=body, headers=headers)
    foreign = "Cookie" in headers and method not in ("GET", "HEAD")
    assert response.status_code == (403 if foreign else 401)
    assert ("WWW-Authenticate" in response.headers) == (response.status_code == 401)
    assert ("error" in response.json()) == (not path.startswith("/api"))
