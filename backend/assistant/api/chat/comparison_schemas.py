"""Shapes of blind comparisons."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from assistant.api.schemas import MessageOut, Out, PlainText, SendMessage, Strict
from assistant.services.chat.comparisons import Contest
from assistant.services.chat.win_rates import Standing
from assistant.services.history.conversations import MessageView
from codellama_core.models import Comparison, Vote


class CompareModels(SendMessage):
    """A question to two models; without ``models`` to the first two of ``/api/models/served``."""

    models: (
        Annotated[list[Annotated[PlainText, Field(min_length=1, max_length=500)]], Field(min_length=2, max_length=2)]
        | None
    ) = None


class CastVote(Strict):
    vote: Annotated[Vote, Field(strict=False)]


class ComparisonOut(Out):
    """The names are null until it is closed. ``vote`` is null then too where it was ended without one."""

    model_config = ConfigDict(from_attributes=True, title="Comparison")

    id: uuid.UUID
    question_id: uuid.UUID
    left_id: uuid.UUID
    right_id: uuid.UUID
    left_model: str | None
    right_model: str | None
    vote: Vote | None
    closed: bool
    created_at: datetime

    @classmethod
    def of(cls, row: Comparison) -> "ComparisonOut":
        closed = row.closed_at is not None
        return cls(
            id=row.id, question_id=row.question_id, left_id=row.left_id, right_id=row.right_id,
            left_model=row.left_model if closed else None, right_model=row.right_model if closed else None,
            vote=row.vote, closed=closed, created_at=row.created_at,
        )  # fmt: skip


class ContestOut(Out):
    """A comparison that has begun. Follow both answers at ``/api/generations/{id}/events``, left first."""

    model_config = ConfigDict(from_attributes=True, title="Contest")

    comparison: ComparisonOut
    user_message: MessageOut
    left: MessageOut
    right: MessageOut

    @classmethod
    def of(cls, contest: Contest) -> "ContestOut":
        blind = contest.comparison.closed_at is None
        left, right = (MessageOut.of(MessageView(answer, None, None, blind=blind)) for answer, _ in contest.sides)
        return cls(
            comparison=ComparisonOut.of(contest.comparison), left=left, right=right,
            user_message=MessageOut.of(MessageView(contest.question, None, None, contest.files)),
        )  # fmt: skip


class StandingOut(Out):
    """Votes seen from ``model``'s side. ``rate`` is its share of the votes that preferred one, null without any.

    ``low`` and ``high`` are the 95 % score interval of that share (Wilson 1927).
    """

    model_config = ConfigDict(from_attributes=True, title="Standing")

    model: str
    opponent: str
    wins: int
    losses: int
    ties: int
    both_bad: int
    rate: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, standing: Standing) -> "StandingOut":
        low, high = standing.interval or (None, None)
        return cls(
            model=standing.model, opponent=standing.opponent, wins=standing.wins, losses=standing.losses,
            ties=standing.ties, both_bad=standing.both_bad, rate=standing.rate, low=low, high=high,
        )  # fmt: skip


class Standings(Out):
    """The pair with the most votes first."""

    items: list[StandingOut]
