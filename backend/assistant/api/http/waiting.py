"""What a caller is told about the queue before its request is in it."""

from typing import Final

from assistant.resources import Resources

WAIT_HEADER: Final = "X-Queue-Predicted-Wait"


def predicted_wait(resources: Resources) -> dict[str, str]:
    """A header: the seconds that a request which comes now is expected to wait for its start."""
    return {WAIT_HEADER: f"{resources.generator.predicted_wait_s:.3f}"}
