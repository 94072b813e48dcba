"""What a question would cost, before it is sent: how much of the context, and how long until the first word."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.engine.types import Priority
from assistant.services.database import Database
from assistant.services.generators.types import ChatPrompt, Generator, Length, Prospect, TextPrompt, TextRequest
from assistant.services.history import branches, conversations
from assistant.services.history.branches import Spot
from assistant.services.people.accounts import Principal
from codellama_core.models import ChatSettings
from codellama_core.prompt import ChatMessage, ContextFile, fenced, with_files, with_system_prompt


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that may not be finished; without a conversation it begins a new one, with these ``settings``."""

    content: str
    files: Sequence[ContextFile]
    conversation_id: uuid.UUID | None = None
    spot: Spot = field(default_factory=Spot)
    settings: ChatSettings = field(default_factory=ChatSettings)


@dataclass(frozen=True, slots=True)
class Estimate:
    """``prospect`` is of the whole prompt; ``content`` and ``files`` are what its parts take of it."""

    prospect: Prospect
    content: Length
    files: Sequence[Length]


async def estimate(database: Database, generator: Generator, who: Principal, draft: Draft) -> Estimate:
    """Nothing is stored, and no place of the engine is taken.

    Raises NotFoundError, InvalidRequestError (no such spot), ModelUnavailableError.
    """
    above: Sequence[ChatMessage] = ()
    settings = draft.settings
    if draft.conversation_id is not None:
        async with database.session() as session:
            settings = (await conversations.owned(session, who.id, draft.conversation_id)).settings
            parent = await branches.parent_at(session, draft.conversation_id, draft.spot)
            above = await branches.turns_of(session, await conversations.branch(session, parent))
    question = ChatMessage("user", with_files(draft.content, draft.files))
    request = TextRequest(
        id="estimate", prompt=ChatPrompt(with_system_prompt(settings.system_prompt, [*above, question])),
        max_tokens=settings.max_tokens, priority=Priority.CHAT, fairness_key=str(who.id), model=settings.model,
    )  # fmt: skip
    prospect = await generator.foresee(request)
    content = await generator.length_of(TextPrompt(draft.content))
    files = [await generator.length_of(TextPrompt(fenced(file))) for file in draft.files]
    return Estimate(prospect, content, files)
