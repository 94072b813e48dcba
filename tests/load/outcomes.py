"""What became of requests under load: attempts, their summary in figures, and what they cost."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Literal, Self

from tests.load.clients import Reply
from tests.load.report import percentile

Outcome = Literal["answered", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. Times in seconds: ``at`` since the load began, ``first`` (text) and ``ended`` since it was due.

    ``gaps`` lie between chunks of text. ``retry_after`` is what a refusal (429) said; one without it is a failure.
    """

    at: float
    outcome: Outcome
    ended: float
    first: float | None = None
    gaps: tuple[float, ...] = ()
    prompt_tokens: int = 0
    tokens: int = 0
    retry_after: float | None = None
    error: str | None = None

    @classmethod
    def of(cls, reply: Reply, began: float, at: float) -> Self:
        """``began``: when the load did, in the clock of the reply; ``at``: when the request was due after that."""
        due = began + at
        ended = reply.ended_at - due
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            after = reply.headers.get("retry-after", "")
            if after.isdigit():
                return cls(at, "refused", ended, retry_after=float(after))
            return cls(at, "failed", ended, error="429 without Retry-After")
        if reply.status != HTTPStatus.OK or reply.error or reply.finish_reason is None:
            return cls(at, "failed", ended, error=reply.error or f"status {reply.status}, not finished")
        first = reply.arrivals[0] - due if reply.arrivals else ended
        gaps = tuple(round(gap, 4) for gap in reply.gaps)
        return cls(at, "answered", ended, first, gaps, reply.prompt_tokens, reply.completion_tokens)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """From what ``asdict`` made of it."""
        return cls(**{**values, "gaps": tuple(values["gaps"])})


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of a load. Times in seconds, None where nothing was measured; rates over ``seconds``.

    ``first`` is the time to the first text and ``whole`` that to the end, both as p50, p95, p99; ``gap`` is the p95
    between chunks of text, ``refusal`` the p95 of the time that a refusal took.
    """

    offered: int
    answered: int
    refused: int
    failed: int
    seconds: float
    tokens: int
    first: tuple[float, float, float] | None
    whole: tuple[float, float, float] | None
    gap: float | None
    refusal: float | None

    @classmethod
    def of(cls, attempts: Sequence[Attempt], seconds: float) -> Self:
        """``seconds``: how long it took, arrivals and what was left to be answered."""
        answered = [attempt for attempt in attempts if attempt.outcome == "answered"]
        refused = [attempt for attempt in attempts if attempt.outcome == "refused"]
        return cls(
            offered=len(attempts),
            answered=len(answered),
            refused=len(refused),
            failed=len(attempts) - len(answered) - len(refused),
            seconds=seconds,
            tokens=sum(attempt.tokens for attempt in answered),
            first=_percentiles([attempt.first for attempt in answered if attempt.first is not None]),
            whole=_percentiles([attempt.ended for attempt in answered]),
            gap=_p95(list(itertools.chain.from_iterable(attempt.gaps for attempt in answered))),
            refusal=_p95([attempt.ended for attempt in refused]),
        )

    @property
    def served(self) -> float:
        """Share of all requests that were answered; 1 where there were none."""
        return self.answered / self.offered if self.offered else 1.0

    @property
    def success(self) -> float:
        """The same without those that were told to come back later: a refusal is no failure."""
        tried = self.answered + self.failed
        return self.answered / tried if tried else 1.0

    def cost(self, node_cost_per_hour: float) -> tuple[float, float]:
        """Of 1,000 answers and of a million tokens written, in the currency of ``node_cost_per_hour``; of all nodes.

        Infinite where nothing was answered.
        """
        spent = node_cost_per_hour * self.seconds / 3600
        return (
            spent / self.answered * 1e3 if self.answered else math.inf,
            spent / self.tokens * 1e6 if self.tokens else math.inf,
        )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "served": self.served, "success": self.success}


HEAD = (
    "load", "offered", "answered", "refused", "failed", "success", "req/s", "tok/s", "TTFT p50/p95/p99",
    "whole p50/p95/p99", "gap p95", "429 p95",
)  # fmt: skip


def cells(name: str, summary: Summary) -> tuple[str, ...]:
    """A summary as a line under ``HEAD``."""
    rates = (summary.answered / summary.seconds, summary.tokens / summary.seconds) if summary.seconds else (0.0, 0.0)
    return (
        name, f"{summary.offered}", f"{summary.answered}", f"{summary.refused}", f"{summary.failed}",
        f"{summary.success:.1%}", *(f"{rate:.3g}" for rate in rates), _times(summary.first), _times(summary.whole),
        seconds(summary.gap), seconds(summary.refusal),
    )  # fmt: skip


def cost_sentence(summary: Summary, node_cost_per_hour: float) -> str:
    """What it cost to answer, if the nodes cost so much together."""
    thousand, million = summary.cost(node_cost_per_hour)
    return f"at {node_cost_per_hour:g} an hour: {thousand:.3g} for 1,000 requests, {million:.3g} for a million tokens"


def seconds(value: float | None) -> str:
    """`12 ms`, `1.25 s`, a dash for nothing."""
    if value is None:
        return "–"
    return f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.3g} s"


def _times(values: tuple[float, float, float] | None) -> str:
    return "–" if values is None else " / ".join(map(seconds, values))


def _percentiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    return (percentile(values, 0.5), percentile(values, 0.95), percentile(values, 0.99)) if values else None


def _p95(values: Sequence[float]) -> float | None:
    return percentile(values, 0.95) if values else None
