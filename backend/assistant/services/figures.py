"""Requests and the engine's state as metrics."""

from collections.abc import Iterator

from assistant.engine.engine import Engine
from assistant.engine.types import Timings
from assistant.services.generators.desk import Desk
from assistant.services.generators.pieces import Tally
from assistant.services.generators.types import Generator
from assistant.telemetry import Figure, Metrics


def engine_figures(engine: Engine, generator: Generator, threads: int, quota: float | None) -> Iterator[Figure]:
    """Read at scrape time."""
    stats = engine.stats()
    yield Figure("requests_in_system", "Requests running or waiting.", stats.running + stats.queue_depth)
    yield Figure("queue_depth", "Requests waiting.", stats.queue_depth)
    yield Figure("predicted_wait_seconds", "Predicted wait of a request that came now.", stats.predicted_wait_s)
    yield Figure("kv_cells", "KV cells there are.", stats.kv_cells)
    yield Figure("kv_cells_used", "KV cells of running requests.", stats.kv_cells_used)
    yield Figure("kv_cells_cached", "KV cells of idle prefixes.", stats.kv_cells_cached)
    yield Figure("kv_ram_bytes", "Bytes of prefixes kept in memory outside the KV cache.", stats.kv_ram_bytes)
    yield Figure("kv_disk_bytes", "Bytes of prefixes kept on disk.", stats.kv_disk_bytes)
    yield Figure("steps", "Steps of the engine.", stats.steps, "counter")
    yield Figure("prompt_tokens", "Prompt tokens of admitted requests.", stats.prompt_tokens, "counter")
    yield Figure("cached_tokens", "Prompt tokens that were in the KV cache.", stats.cached_tokens, "counter")
    yield Figure("generated_tokens", "Tokens sampled.", stats.generated_tokens, "counter")
    yield Figure(
        "restored_tokens", "Cached tokens that came back from memory or disk.", stats.restored_tokens, "counter"
    )
    yield Figure("speculated_tokens", "Tokens guessed by speculation.", stats.drafted_tokens, "counter")
    yield Figure("accepted_tokens", "Guessed tokens that were right.", stats.accepted_tokens, "counter")
    yield Figure("preemptions", "Requests sent back to the queue for room.", stats.preemptions, "counter")
    yield Figure("cancelled_requests", "Requests cancelled by their callers.", stats.cancelled, "counter")
    yield Figure("threads", "Threads that compute.", threads)
    yield Figure("cpu_quota", "CPUs of the cgroup's quota; 0 when unlimited.", quota or 0.0)
    yield from _versions(generator)


def desk_figures(desk: Desk, tally: Tally, generator: Generator) -> Iterator[Figure]:
    """The same for text that is made elsewhere. Read at scrape time."""
    yield Figure("requests_in_system", "Requests running or waiting.", desk.running + desk.waiting)
    yield Figure("queue_depth", "Requests waiting.", desk.waiting)
    yield Figure("predicted_wait_seconds", "Predicted wait of a request that came now.", desk.predicted_wait_s)
    yield Figure("prompt_tokens", "Prompt tokens of finished requests.", tally.prompt_tokens, "counter")
    yield Figure("cached_tokens", "Prompt tokens that were in the KV cache.", tally.cached_tokens, "counter")
    yield Figure("generated_tokens", "Tokens received.", tally.generated_tokens, "counter")
    yield Figure("cancelled_requests", "Requests cancelled by their callers.", tally.cancelled, "counter")
    yield from _versions(generator)


def _versions(generator: Generator) -> Iterator[Figure]:
    for identity in generator.models:
        labels = (
            ("version", identity.name),
            ("version_id", str(identity.version_id or "")),
            ("alias", identity.alias or ""),
        )
        yield Figure("model_version_info", "The versions being served.", 1, labels=labels)


def observe_step(metrics: Metrics, rows: int, seconds: float) -> None:
    """Count a step of the engine."""
    metrics.batch_rows.observe(rows)
    metrics.step_seconds.observe(seconds)


def observe(metrics: Metrics, endpoint: str, timings: Timings) -> None:
    """Count a finished request."""
    to_first_token = timings.queued_s + timings.prefill_s
    metrics.request_seconds.labels(endpoint).observe(to_first_token + timings.decode_s)
    if timings.completion_tokens:
        metrics.time_to_first_token.labels(endpoint).observe(to_first_token)
    if timings.completion_tokens > 1:
        metrics.inter_token.labels(endpoint).observe(timings.decode_s / (timings.completion_tokens - 1))
