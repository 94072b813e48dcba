"""The settings of a conversation, as they are sent."""

from typing import Any

from assistant.api.schemas import ChatSettingsIn
from assistant.resources import Resources
from assistant.services.chat.settings import check_length, model_to_keep


def chosen_settings(given: ChatSettingsIn | None, resources: Resources) -> dict[str, Any]:
    """The fields that were sent, if this server can honour them.

    Raises InvalidRequestError, ModelUnavailableError.
    """
    chosen = given.model_dump(exclude_unset=True) if given is not None else {}
    check_length(chosen.get("max_tokens"), resources.settings.max_tokens)
    if (name := chosen.get("model")) is not None:
        chosen["model"] = model_to_keep(resources.generator.models, name)
    return chosen
