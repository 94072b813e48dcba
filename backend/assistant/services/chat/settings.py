"""How a conversation is answered: by the model, the system prompt and the sampling that its owner chose."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from assistant.engine.types import Sampling
from assistant.errors import ConflictError, InvalidRequestError, ModelNotFoundError
from assistant.services.generators.types import ModelIdentity, choose
from codellama_core.models import ChatSettings

CHAT_SAMPLING: Final = Sampling(temperature=0.2, top_p=0.95, top_k=40, min_p=0.05, repeat_penalty=1.05)
FOLLOW_CHAMPION: Final = ("default", "champion")


class ModelGoneError(ConflictError):
    """A conversation asks for a model that is not served; another one never answers in its place."""

    code = "model_not_served"

    def __init__(self, name: str, served: Sequence[ModelIdentity]) -> None:
        known = " or ".join(f"'{identity.name}'" for identity in served)
        super().__init__(
            f"This conversation asks for the model '{name}', which is not served any more; choose {known} for it.",
            param="model",
        )


def model_to_keep(served: Sequence[ModelIdentity], name: str) -> str | None:
    """What to store of a choice: the model's own name, for an alias may be another's tomorrow; None for the champion's.

    Raises InvalidRequestError when no such model is served, ModelUnavailableError when none is at all.
    """
    try:
        chosen = choose(served, name)
    except ModelNotFoundError as error:
        raise InvalidRequestError(error.message, param="settings.model") from None
    return None if name in FOLLOW_CHAMPION else chosen.name


def check_length(max_tokens: int | None, limit: int) -> None:
    """Raises InvalidRequestError when answers of that length are never given here."""
    if max_tokens is not None and max_tokens > limit:
        text = f"settings.max_tokens: answers have at most {limit} tokens here (MAX_TOKENS)."
        raise InvalidRequestError(text, param="settings.max_tokens")


def sampling_of(settings: ChatSettings) -> Sampling:
    """The chat's sampling with what was chosen in place of its defaults."""
    chosen = {name: value for name in ("temperature", "top_p") if (value := getattr(settings, name)) is not None}
    return replace(CHAT_SAMPLING, **chosen)
