"""When a waiting request will start, from the work ahead of it: a small simulation of processor sharing."""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """What a request still costs: prompt tokens to read and tokens it is expected to write. Lower priority first."""

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
    slots: int = 1
    prefill_s: float = 0.0
    round_s: float = 0.0


def predict_waits(load: Load, waiting: Iterable[Work]) -> list[float]:
    """Seconds until each of ``waiting``, in their order, starts after what is running in ``load``.

    All running sequences advance one token a round; prompts are read in between and delay everybody. Where all slots
    are taken, one of the lowest priority makes room for a more urgent one, and comes next among its equals.
    """
    running = [(work.decode, work.priority) for work in load.running]
    heapq.heapify(running)
    lowest = max((priority for _, priority in running), default=0)
    seconds = sum(work.prefill for work in load.running) * load.prefill_s
    rounds, began = 0.0, 0.0
    line: deque[tuple[Work, bool]] = deque((work, False) for work in waiting)
    waits: list[float] = []
    while line:
        work, pushed_out = line.popleft()
        if len(running) >= load.slots:
            if lowest > work.priority and (victim := max(running, key=lambda each: each[::-1]))[1] > work.priority:
                running.remove(victim)
                heapq.heapify(running)
                rest = Work(0, max(victim[0] - rounds, 0.0), victim[1])
                line.insert(sum(each.priority < rest.priority for each, _ in line), (rest, True))
            else:
                done = max(heapq.heappop(running)[0], rounds)
                seconds += (done - rounds) * load.round_s
                rounds, began = done, seconds
        if not pushed_out:
            waits.append(began)
        heapq.heappush(running, (rounds + work.decode, work.priority))
        lowest = max(lowest, work.priority)  # at least: nobody is taken off it again
        seconds += work.prefill * load.prefill_s
    return waits
