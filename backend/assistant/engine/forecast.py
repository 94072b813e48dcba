"""When a waiting request will start, from the work ahead of it: a small simulation of processor sharing."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """What a request still costs: prompt tokens to read and tokens it is expected to write."""

    prefill: int
    decode: float
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """The work in hand at one moment, and how fast it is done.

    ``prefill_s`` is seconds per prompt token, ``round_s`` seconds in which all running sequences get one token,
    ``slots`` how many run at once.
    """

    running: tuple[Work, ...] = ()
    waiting: tuple[Work, ...] = ()
    slots: int = 1
    prefill_s: float = 0.0
    round_s: float = 0.0


def predict_waits(load: Load, waiting: Iterable[Work]) -> list[float]:
    """Seconds until each of ``waiting``, in their order, starts after what is running in ``load``.

    All running sequences advance one token a round; prompts are read in between and delay everybody.
    """
    finish = [work.decode for work in load.running]
    heapq.heapify(finish)
    seconds = sum(work.prefill for work in load.running) * load.prefill_s
    rounds = 0.0
    waits: list[float] = []
    for work in waiting:
        if len(finish) >= load.slots:
            done = max(heapq.heappop(finish), rounds)
            seconds += (done - rounds) * load.round_s
            rounds = done
            waits.append(seconds)
        else:
            waits.append(0.0)
        heapq.heappush(finish, rounds + work.decode)
        seconds += work.prefill * load.prefill_s
    return waits


def predict_wait(load: Load, ahead: Sequence[Work], mine: Work) -> float:
    """Seconds until a newcomer with ``mine`` starts, behind those in ``load`` and ``ahead`` it may not pass."""
    before = [work for work in (*load.waiting, *ahead) if work.priority <= mine.priority]
    return predict_waits(load, [*before, mine])[-1]
