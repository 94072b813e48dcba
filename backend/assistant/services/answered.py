"""What is told of an answer that has ended: to the metrics, to the log, and to whoever collects traces."""

import logging

from assistant.services.figures import observe
from assistant.services.generators.types import EndEvent, ModelIdentity
from assistant.telemetry import Metrics
from assistant.tracing import trace_answer

logger = logging.getLogger(__name__)


def answered(metrics: Metrics, endpoint: str, model: ModelIdentity, end: EndEvent) -> None:
    """Call where the request's context is still known: whose it is and its id come from there."""
    timings = end.timings
    observe(metrics, endpoint, timings)
    seconds = timings.queued_s + timings.prefill_s + timings.decode_s
    logger.info(
        "%s: %d tokens in %.1f s by %s", endpoint, timings.completion_tokens, seconds, model.name,
        extra={
            "endpoint": endpoint, "model": model.name, "model_version_id": model.version_id,
            "finish_reason": str(end.reason), "prompt_tokens": timings.prompt_tokens,
            "cached_tokens": timings.cached_tokens, "completion_tokens": timings.completion_tokens,
            "queued_s": round(timings.queued_s, 3), "prefill_s": round(timings.prefill_s, 3),
            "decode_s": round(timings.decode_s, 3),
        },
    )  # fmt: skip
    trace_answer(model.name, endpoint, str(end.reason), timings)
