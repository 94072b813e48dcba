"""What a question would cost, asked while it is being written; and the texts of what was attached."""

import uuid
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from assistant.api.chat.attachment_schemas import Attachments, AttachmentText, files_of
from assistant.api.chat.settings import chosen_settings
from assistant.api.deps import PrincipalDep, ResourcesDep, SessionDep
from assistant.api.schemas import MAX_TEXT, ChatSettingsIn, Out, PlainText, Strict
from assistant.services.chat import estimates
from assistant.services.chat.estimates import Draft, Estimate
from assistant.services.generators.types import Length
from assistant.services.history import attachments
from assistant.services.history.branches import Spot
from codellama_core.models import ChatSettings

router = APIRouter(prefix="/api", tags=["conversations"])


class HalfQuestion(Strict):
    """A question that may not be finished."""

    content: Annotated[PlainText, Field(max_length=MAX_TEXT)]
    attachments: Attachments = Field(default=[])


class NewQuestion(HalfQuestion):
    """It would begin a conversation, with these settings."""

    settings: ChatSettingsIn | None = None


class NextQuestion(HalfQuestion):
    """It would go on with a conversation; ``parent_id`` and ``beside_id`` as when it is sent."""

    parent_id: Annotated[uuid.UUID | None, Field(strict=False)] = None
    beside_id: Annotated[uuid.UUID | None, Field(strict=False)] = None


class PartTokens(Out):
    """``at_least``: so many or more, because it is too long to be counted."""

    tokens: int
    at_least: bool


class EstimateOut(Out):
    """Tokens and seconds; null is what this server cannot know.

    ``prompt`` is all that the model would read, of which ``content`` and ``attachments`` are parts and the rest is the
    conversation above. It reads ``limit_tokens`` at most; ``over_tokens`` have to be cut. ``cached_tokens`` need not be
    read again. The answer would wait ``wait_s`` for its start, and then read for ``reading_s``.
    """

    model_config = ConfigDict(from_attributes=True, title="Estimate")

    prompt: PartTokens
    content: PartTokens
    attachments: list[PartTokens]
    exact: bool = Field(description="False where tokens are guessed from the length of the text")
    limit_tokens: int | None
    over_tokens: int = Field(ge=0)
    cached_tokens: int | None
    wait_s: float | None
    reading_s: float | None

    @classmethod
    def of(cls, estimate: Estimate) -> "EstimateOut":
        seen = estimate.prospect
        over = 0 if seen.limit is None else max(0, seen.length.tokens - seen.limit)
        return cls(
            prompt=_part(seen.length), content=_part(estimate.content), attachments=[*map(_part, estimate.files)],
            exact=seen.length.exact, limit_tokens=seen.limit, over_tokens=over, cached_tokens=seen.cached_tokens,
            wait_s=seen.wait_s, reading_s=seen.reading_s,
        )  # fmt: skip


def _part(length: Length) -> PartTokens:
    return PartTokens(tokens=length.tokens, at_least=length.at_least)


@router.post("/conversations/estimate")
async def estimate_new_question(body: NewQuestion, principal: PrincipalDep, resources: ResourcesDep) -> EstimateOut:
    """How much of the context the first question of a conversation would take, and how long until the first word."""
    settings = ChatSettings(**chosen_settings(body.settings, resources))
    draft = Draft(body.content, files_of(body.attachments), settings=settings)
    return EstimateOut.of(await estimates.estimate(resources.database, resources.generator, principal, draft))


@router.post("/conversations/{conversation_id:uuid}/estimate")
async def estimate_question(
    conversation_id: uuid.UUID, body: NextQuestion, principal: PrincipalDep, resources: ResourcesDep
) -> EstimateOut:
    """How much of the context the branch and a question would take, and how long until the first word."""
    spot = Spot(body.parent_id, body.beside_id)
    draft = Draft(body.content, files_of(body.attachments), conversation_id, spot)
    return EstimateOut.of(await estimates.estimate(resources.database, resources.generator, principal, draft))


@router.get("/attachments/{attachment_id:uuid}")
async def get_attachment(attachment_id: uuid.UUID, principal: PrincipalDep, session: SessionDep) -> AttachmentText:
    """A file as it was attached to one of one's own questions."""
    return AttachmentText.model_validate(await attachments.get(session, principal.id, attachment_id))
