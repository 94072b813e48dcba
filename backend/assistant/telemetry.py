"""Logs as JSON lines and metrics for Prometheus. No prompt text is ever logged."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
user_id: ContextVar[str | None] = ContextVar("user_id", default=None)
"""Of the request under way, and of whatever it has begun; what asks for a person sets the second."""

_RECORD_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, whose request it is, and whatever ``extra`` carries."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        known = {"request_id": request_id.get(), "user_id": user_id.get()}
        line |= {name: value for name, value in known.items() if value is not None}
        line |= {key: value for key, value in record.__dict__.items() if key not in _RECORD_FIELDS}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_logging(level: str, style: str) -> None:
    """Send everything to standard error, as JSON lines or as text for a terminal."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")
    handler.setFormatter(JsonFormatter() if style == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if style == "text":  # people need not read what it thinks of tokenizers and context lengths
        logging.getLogger("llama.cpp").setLevel(logging.ERROR)


class Metrics:
    """What the service counts itself; the engine's own figures come through ``FigureCollector``."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "codellama_http_requests", "HTTP requests by route and status.", ["method", "route", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.request_seconds = Histogram(
            "codellama_request_seconds", "From submission to the last token, in seconds.", ["endpoint"],
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600), registry=self.registry,
        )  # fmt: skip
        self.time_to_first_token = Histogram(
            "codellama_time_to_first_token_seconds", "From submission to the first token, in seconds.", ["endpoint"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128), registry=self.registry,
        )  # fmt: skip
        self.inter_token = Histogram(
            "codellama_inter_token_seconds", "Mean time between tokens of a request, in seconds.", ["endpoint"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2), registry=self.registry,
        )  # fmt: skip
        self.batch_rows = Histogram(
            "codellama_batch_rows", "Rows of a step of the engine.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512), registry=self.registry,
        )  # fmt: skip
        self.step_seconds = Histogram(
            "codellama_step_seconds", "Duration of a step of the engine, in seconds.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4), registry=self.registry,
        )  # fmt: skip
        self.rejections = Counter(
            "codellama_rejections", "Requests turned away, by reason.", ["reason"], registry=self.registry
        )
        self.spooled = Counter(
            "codellama_spooled_records", "Records kept on disk while the database was away.", registry=self.registry
        )


class Stopwatch:
    """Seconds since it was made, on the monotonic clock."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start


@dataclass(frozen=True, slots=True)
class Figure:
    """A number read when Prometheus asks. ``name`` comes without the prefix and without ``_total``.

    Figures of one name differ in the values of their labels.
    """

    name: str
    help: str
    value: float
    kind: Literal["counter", "gauge"] = "gauge"
    labels: tuple[tuple[str, str], ...] = ()


class FigureCollector(Collector):
    """Turns figures that are read at scrape time into metrics."""

    def __init__(self, read: Callable[[], Iterable[Figure]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for figure in self._read():
            names, values = [name for name, _ in figure.labels], [value for _, value in figure.labels]
            kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
            new = kind(f"codellama_{figure.name}", figure.help, labels=names)
            family = families.setdefault(figure.name, new)
            assert isinstance(family, kind)
            family.add_metric(values, figure.value)
        return families.values()
