"""What a caller is told of the queue that its request came into."""

from typing import Final

from assistant.services.calls.interactions import Interaction

WAIT_HEADER: Final = "X-Queue-Predicted-Wait"


def predicted_wait(interaction: Interaction) -> dict[str, str]:
    """A header: the seconds that the request was expected to wait for its start when it was taken."""
    return {WAIT_HEADER: f"{interaction.expected_wait_s:.3f}"}
