"""What an operator sees of requests: JSON logs, and traces in a collector. People's words are in neither."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.api.test_chat import send
from tests.servers import Backend, eventually

SECRET = "tangerine"


class Collector:
    """Receives OTLP over HTTP, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        spans: list[Span] = []
        self.spans, self.services = spans, set[str]()
        services = self.services

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    named = {each.key: each.value.string_value for each in resource.resource.attributes}
                    services.add(named["service.name"])
                    spans.extend(span for scope in resource.scope_spans for span in scope.spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def below(self, parent: Span) -> dict[str, Span]:
        return {span.name: span for span in self.spans if span.parent_span_id == parent.span_id}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def traced(
    collector: Collector, demo_gguf: Path, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("traced")
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with Backend(folder, new_database(), demo_gguf, **environment) as backend:
        yield backend


def lines(backend: Backend) -> list[dict[str, Any]]:
    return [json.loads(line) for line in backend.log.read_text().splitlines()]


def attributes(span: Span) -> dict[str, Any]:
    values = {each.key: each.value for each in span.attributes}
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


def complete(backend: Backend, **more: Any) -> str:
    """Ask for a completion; returns the request's id."""
    with backend.client() as client:
        body = {"model": "default", "prompt": f"def {SECRET}(", "max_tokens": 8, **more}
        answer = client.post("/v1/completions", json=body)
        assert answer.status_code == 200, answer.text
        return answer.headers["X-Request-ID"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_a_log_line_with_its_request_person_model_and_times(backend: Backend, stream: bool) -> None:
    request = complete(backend, stream=stream)
    with backend.client() as client:
        me = client.get("/api/me").json()["id"]
        model = client.get("/v1/models").json()["data"][0]["id"]
    (line,) = [line for line in lines(backend) if line.get("request_id") == request and "queued_s" in line]
    assert (line["level"], line["user_id"], line["model"], line["endpoint"]) == ("info", me, model, "/v1/completions")
    assert line["completion_tokens"] == 8
    assert line["prompt_tokens"] > 1
    assert min(line["queued_s"], line["prefill_s"], line["decode_s"]) >= 0
    assert line["finish_reason"] == "length"


def test_an_answer_in_a_chat_is_logged_with_the_request_that_began_it(backend: Backend) -> None:
    with backend.client() as client:
        me = client.get("/api/me").json()["id"]
        conversation = client.post("/api/conversations", json={}).json()["id"]
        send(client, conversation, f"Write {SECRET}")
    line = eventually(
        "the answer is logged", lambda: [line for line in lines(backend) if line.get("endpoint") == "conversation"]
    )[-1]
    assert line["user_id"] == me
    assert line["request_id"]


def test_a_refused_request_is_a_log_line_with_its_route(backend: Backend) -> None:
    with backend.client() as client:
        answer = client.post("/v1/completions", json={"prompt": SECRET, "temperature": 9})
    (line,) = [line for line in lines(backend) if line.get("request_id") == answer.headers["X-Request-ID"]]
    assert (line["level"], line["method"], line["route"], line["status"]) == ("info", "POST", "/v1/completions", 400)


def test_no_words_of_people_are_logged(backend: Backend) -> None:
    complete(backend)
    with backend.client() as client:
        client.get("/api/search", params={"q": SECRET, "limit": 0})
    assert SECRET not in backend.log.read_text()


def test_a_trace_has_the_request_its_sql_and_the_answer_with_queue_prefill_and_decode(
    traced: Backend, collector: Collector
) -> None:
    complete(traced)
    answer = eventually("the answer is traced", lambda: collector.named("answer demo"))[-1]
    parts = eventually("its parts are traced", lambda: len(found := collector.below(answer)) == 3 and found)
    assert sorted(parts, key=lambda name: parts[name].start_time_unix_nano) == ["queue", "prefill", "decode"]
    assert parts["queue"].start_time_unix_nano == answer.start_time_unix_nano
    assert parts["queue"].end_time_unix_nano == parts["prefill"].start_time_unix_nano
    assert parts["decode"].end_time_unix_nano == answer.end_time_unix_nano
    assert attributes(answer)["gen_ai.usage.output_tokens"] == 8
    (request,) = eventually("the request is traced", lambda: collector.named("POST /v1/completions"))[-1:]
    assert answer.parent_span_id == request.span_id
    assert answer.trace_id == request.trace_id
    assert collector.services == {"codellama-backend"}


def test_a_chat_s_answer_belongs_to_the_request_that_began_it_and_flushing_is_left_out(
    traced: Backend, collector: Collector
) -> None:
    with traced.client() as client:
        conversation = client.post("/api/conversations", json={}).json()["id"]
        send(client, conversation, f"Write a class for {SECRET} with ten methods")
    route = "POST /api/conversations/{conversation_id:uuid}/messages"
    request = eventually("the request is traced", lambda: collector.named(route))[-1]
    eventually("the answer is traced", lambda: "answer demo" in collector.below(request))
    statements = [attributes(span).get("db.query.text", "") for span in collector.spans]
    assert any(statement.startswith("INSERT INTO messages") for statement in statements)
    assert not any("generation_events" in statement for statement in statements if "INSERT" in statement)
    assert all(span.parent_span_id for span in collector.spans if span.name.startswith("SQL"))


def test_no_words_of_people_are_in_a_trace_and_probes_are_not_traced(traced: Backend, collector: Collector) -> None:
    with traced.client() as client:
        client.get("/health")
        client.get("/api/search", params={"q": SECRET})
    eventually("the search is traced", lambda: collector.named("GET /api/search"))
    assert not any(SECRET in str(span) for span in collector.spans)
    assert not any("/health" in span.name or "/ready" in span.name for span in collector.spans)


def test_a_collector_that_is_away_changes_nothing(own_backend: Callable[..., Backend], demo_gguf: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    backend = own_backend(model=demo_gguf, **environment).start()
    complete(backend)
    assert backend.stop() == 0
