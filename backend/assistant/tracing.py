"""Traces by OpenTelemetry, for a collector that OTEL_EXPORTER_OTLP_ENDPOINT names; without one nothing is traced.

A request is a span, its SQL statements (without their values) are spans below it, and so is an answer, which consists
of queue, prefill and decode. Probes are left out. No text of prompts, answers or searches is in a trace. What the
SDK reads from the environment by itself counts: OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER,
OTEL_RESOURCE_ATTRIBUTES.

Not covered: what an upstream server does with a request, and the weekly run.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from assistant.engine.types import Timings

_PROBES: Final = "/health$,/ready$,/metrics$"
_SPAN: Final = "span"
_WITH_QUERY: Final = ("http.url", "http.target", "url.full", "url.query")


def trace_requests(app: FastAPI, endpoint: str, service: str, version: str) -> Callable[[], None]:
    """Send a span of every request to the collector; returns what sends the rest, and ends it.

    The SDK is imported only here: it takes a quarter of a second.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service, "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=provider, excluded_urls=_PROBES, exclude_spans=["receive", "send"],
        server_request_hook=_without_query,
    )  # fmt: skip
    return provider.shutdown


def trace_sql(engine: Engine) -> None:
    """Make a span of every statement that belongs to a trace, with its text and not its values.

    OpenTelemetry's own instrumentation stops before SQLAlchemy 2.1.
    """
    tracer = trace.get_tracer("assistant")

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        if trace.get_current_span().get_span_context().is_valid:
            attributes = {"db.system.name": "postgresql", "db.query.text": statement}
            connection.info[_SPAN] = tracer.start_span(
                f"SQL {statement.split(None, 1)[0]}", kind=SpanKind.CLIENT, attributes=attributes
            )

    @event.listens_for(engine, "after_cursor_execute")
    def end(connection: Connection, *_: object) -> None:
        if (span := connection.info.pop(_SPAN, None)) is not None:
            span.end()

    @event.listens_for(engine, "handle_error")
    def fail(failure: ExceptionContext) -> None:
        if failure.connection is not None and (span := failure.connection.info.pop(_SPAN, None)) is not None:
            span.set_status(StatusCode.ERROR, type(failure.original_exception).__name__)
            span.end()


def trace_answer(model: str, endpoint: str, reason: str, timings: Timings) -> None:
    """Spans of an answer that has just ended, from the engine's own measurements."""
    tracer = trace.get_tracer("assistant")
    end = time.time_ns()
    lengths = {"queue": timings.queued_s, "prefill": timings.prefill_s, "decode": timings.decode_s}
    begin = end - sum(map(_ns, lengths.values()))
    answer = tracer.start_span(f"answer {model}", start_time=begin, attributes=_attributes(model, endpoint, timings))
    answer.set_attribute("gen_ai.response.finish_reasons", [reason])
    inside = trace.set_span_in_context(answer)
    for name, seconds in lengths.items():
        tracer.start_span(name, inside, start_time=begin).end(begin + _ns(seconds))
        begin += _ns(seconds)
    answer.end(end)


def untraced() -> AbstractContextManager[Span]:
    """For what is done again and again while an answer is written, and would bury its trace."""
    return trace.use_span(trace.INVALID_SPAN)


def _attributes(model: str, endpoint: str, timings: Timings) -> dict[str, str | int]:
    """Named as the semantic conventions for generative AI have it."""
    return {
        "gen_ai.operation.name": "chat" if "chat" in endpoint or endpoint == "conversation" else "text_completion",
        "gen_ai.response.model": model,
        "gen_ai.usage.input_tokens": timings.prompt_tokens,
        "gen_ai.usage.cache_read.input_tokens": timings.cached_tokens,
        "gen_ai.usage.output_tokens": timings.completion_tokens,
        "codellama.endpoint": endpoint,
    }


def _without_query(span: Span, scope: dict[str, Any]) -> None:
    """Searches are people's words."""
    for name in _WITH_QUERY:
        value = getattr(span, "attributes", {}).get(name)
        if isinstance(value, str):
            span.set_attribute(name, value.partition("?")[0] if name != "url.query" else "")


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
