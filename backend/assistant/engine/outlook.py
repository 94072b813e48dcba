"""How long those who wait will wait: kept up to date by the engine's thread, read by those who submit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from assistant.engine.forecast import Load, Work, predict_waits
from assistant.engine.prefix_cache import Held
from assistant.engine.scheduler import Scheduler
from assistant.engine.sequence import Sequence
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import GenerateRequest, Priority, Queued
from assistant.engine.waiting import Line, Place

ANNOUNCE_S = 0.5
"""How often waiting requests hear of their position; a newcomer hears of it at once.

In a long line somebody comes or goes in every step: to tell everybody each time would take the CPU from the model.
"""
REFRESH_S = 0.05
"""How often the load is looked at when nothing changes."""
LEAST_LEARNED_S = 1.0
MOST_WRONG = 2.0
"""What is learnt from a wait of less says nothing; and how far a forecast is corrected at most, up or down."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds until a request would start: as simulated, and as then corrected by what others have met with.

    ``own_before``: how many of the same user's are waiting already.
    """

    simulated_s: float
    expected_s: float
    own_before: int


class Outlook:
    """The load of one model and what it means for newcomers.

    ``wait``, ``cached`` and ``reading_s`` may be called from any thread.
    """

    def __init__(self, scheduler: Scheduler, curve: StepCurve, cells: int, clock: Callable[[], float]) -> None:
        self._scheduler = scheduler
        self._curve = curve
        self._cells = cells
        self._clock = clock
        self._step_ends = 0.0
        self._load = Load(slots=scheduler.max_running, prefill_s=curve.prefill_s, round_s=curve.round_s(1))
        self._line = Line({})
        self._waiting: tuple[tuple[Place, Work], ...] = ()
        self._present: tuple[tuple[Held, int], ...] = ()
        self._completion = 0.5
        self._correction = 1.0
        self._refreshed_at = 0.0
        self._announced_at = 0.0

    def wait(self, ahead: Iterable[Sequence], request: GenerateRequest | None = None) -> Wait:
        """Of a request that joins the line after ``ahead``; None is a small one of somebody who is not here yet."""
        line, waiting = self._line.copy(), list(self._waiting)
        for each in ahead:
            waiting.append((line.join(each.request.fairness_key, each.urgency, each.cost), self._work(each)))
        key, work, tokens = "", Work(0, 0.0, Priority.CHAT), 0
        if request is not None:
            key, tokens = request.fairness_key, len(request.tokens) + request.max_tokens
            work = Work(len(request.tokens), request.max_tokens * self._completion, request.priority)
        own_before = line.of_user(key)
        place = line.join(key, work.priority, tokens)
        waiting.sort(key=lambda each: each[0])
        before = [each for theirs, each in waiting if theirs <= place]
        simulated_s = predict_waits(self._load, [*before, work])[-1]
        return Wait(simulated_s, self._corrected(simulated_s), own_before)

    def cached(self, prompt: Held) -> int:
        """How many tokens of a prompt were in cells when the load was looked at last."""
        most = len(prompt.tokens) - 1
        return max((min(held.shared_with(prompt), length, most) for held, length in self._present), default=0)

    def reading_s(self, tokens: int) -> float:
        """Seconds from a prompt's start to its first token, when so many of its tokens are not in cells."""
        load = self._load
        if load.running or self._waiting:
            before = sum(work.prefill for work in load.running) if len(load.running) < load.slots else 0
            return (before + tokens) * load.prefill_s
        rows = self._curve.prefill_rows(0, tokens)
        whole, rest = divmod(tokens, rows)
        return whole * self._curve.seconds(rows) + (self._curve.seconds(rest) if rest else 0.0)

    def step_begins(self, rows: int, now: float) -> None:
        """Nobody who comes now starts before it ends."""
        self._step_ends = now + self._curve.seconds(rows)

    def started(self, sequence: Sequence) -> None:
        """A request has been admitted: was its wait what the simulation had said?"""
        if sequence.simulated_s >= LEAST_LEARNED_S and sequence.admitted_at is not None:
            ratio = (sequence.admitted_at - sequence.submitted_at) / sequence.simulated_s
            self._correction += 0.1 * (min(max(ratio, 1 / MOST_WRONG), MOST_WRONG) - self._correction)

    def learn(self, sequence: Sequence) -> None:
        """A request has run its course: how much of its limit do people use?"""
        if sequence.request.max_tokens:
            share = sequence.generated / sequence.request.max_tokens
            self._completion += 0.1 * (share - self._completion)

    def refresh(self, now: float, *, changed: bool, slowdown: float = 1.0) -> None:
        """Look at the load again, once in a while and whenever requests have come or gone.

        ``slowdown``: how many times longer everything takes because other models have their turns too.
        """
        if not changed and now - self._refreshed_at < REFRESH_S:
            return
        self._refreshed_at = now
        self._present = self._scheduler.cache.present()
        running = self._scheduler.running.values()
        self._line, waiting = self._scheduler.waiting.line(now)
        self._waiting = tuple([(place, self._work(each)) for place, each in waiting])
        self._load = Load(
            running=tuple([self._work(each) for each in running]),
            slots=self._slots(),
            prefill_s=self._curve.prefill_s * slowdown,
            round_s=self._curve.round_s(len(running)) * slowdown,
        )

    def announcements(self, now: float) -> list[tuple[Sequence, Queued]]:
        """What waiting requests are to be told now."""
        waiting = self._scheduler.waiting
        everybody = now - self._announced_at >= ANNOUNCE_S
        if not waiting or not (everybody or any(not each.announced for each in waiting.all())):
            return []
        if everybody:
            self._announced_at = now
        order = waiting.in_order(now)
        waits = predict_waits(self._load, [self._work(each) for each in order])
        told = []
        for place, (each, wait) in enumerate(zip(order, waits, strict=True)):
            if everybody or not each.announced:
                each.announced = True
                told.append((each, Queued(place, self._correction * wait)))
        return told

    def _corrected(self, simulated_s: float) -> float:
        """What a simulated wait has meant lately: the simulation knows nothing of busy machines or half full tiles.

        At least what is left of the step that is being computed.
        """
        return max(simulated_s * self._correction, self._step_ends - self._clock())

    def _slots(self) -> int:
        """How many requests run at once: as many as now when some have to wait, else as many as cells suggest."""
        running, most = self._scheduler.running, self._scheduler.max_running
        if self._scheduler.waiting or not running:
            return len(running) or most
        cells = sum(len(each.tokens) + self._work(each).decode for each in running.values())
        return max(len(running), min(most, int(self._cells * len(running) / cells)))

    def _work(self, sequence: Sequence) -> Work:
        expected = max(sequence.request.max_tokens * self._completion - sequence.generated, 1.0)
        prefill = sequence.outstanding if sequence.outstanding > 1 else 0
        return Work(prefill, min(expected, sequence.tokens_left), sequence.urgency)
