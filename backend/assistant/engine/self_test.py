"""Short measurements of a model on this machine before it serves: its step curve, and whether the threads get CPUs."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assistant.engine.model import Copy, KvCosts, Model, Span, Truncate
from assistant.engine.step_curve import StepCurve, measure

logger = logging.getLogger(__name__)
DEPTH = 768
MANY_ROWS = 4
"""Cells behind which attention is measured, as of a conversation of some turns; rows of the larger of its two steps."""
LEAST_SLOWER = 0.1
"""What so many cells add to the larger step at least: on a busy machine their difference may come out as nothing."""
PIECES = 8
"""Cells that lie apart, of which is measured how long they take to save."""
STARVED = 0.75
"""CPU seconds a thread has to get in a second of computing; below, something else has the CPU or the quota is less."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Seconds of a step with one row and one with four, each behind ``DEPTH`` cells, and what cells cost elsewhere."""

    step_s: float
    costs: KvCosts


def measure_attention(model: Model, clock: Callable[[], float], *, with_costs: bool) -> Attention:
    """Attention behind as many cells as there is room for, ``DEPTH`` at most. The model has two sequences or more.

    Without ``with_costs`` these are nothing, as they are where attention skips the cells of others.

    To read so many tokens would take half a minute on a 7B. Instead a few are read and their cells restored again and
    again, into sequences whose cells are then all shared with one: it attends to every copy, at the same positions.
    """
    copies = model.n_seq_max - 1
    depth = min(DEPTH, model.n_ctx - 2 * MANY_ROWS)
    rows = min(-(-depth // copies), model.n_batch)
    token = model.vocabulary.bos or 0

    def best(run: Callable[[], object]) -> float:
        took = []
        for _ in range(2):
            began = clock()
            run()
            took.append(clock() - began)
        return min(took)

    def step(start: int, count: int) -> None:
        model.decode([Span(0, start, [token] * count, 1)])
        model.apply(Truncate(0, start))

    try:
        model.decode([Span(1, 0, [token] * rows, 1)])
        saved = model.save(1)
        filled = rows
        model.apply(Copy(1, 0, rows))
        while filled + rows <= depth and model.restore(filled // rows + 1, saved):
            model.apply(Copy(filled // rows + 1, 0, rows))
            filled += rows
        one_s, many_s = best(lambda: step(rows, 1)), best(lambda: step(rows, MANY_ROWS))
        if not with_costs:
            return Attention(one_s + many_s, KvCosts())
        _empty(model)
        moved_s = best(lambda: model.restore(1, saved)) + best(lambda: model.save(1))
        _empty(model)
        shallow_s = best(lambda: step(0, MANY_ROWS))
        held_s = max(many_s - shallow_s, LEAST_SLOWER * shallow_s) / filled
        return Attention(one_s + many_s, KvCosts(held_s, moved_s / rows, _piece_s(model, best)))
    finally:
        _empty(model)


def _piece_s(model: Model, best: Callable[[Callable[[], object]], float]) -> float:
    """Seconds to save a cell that lies between those of others."""
    token, others = model.vocabulary.bos or 0, range(1, min(model.n_seq_max, PIECES + 1))
    model.decode([Span(seq_id, 0, [token] * 2, 1) for seq_id in others])
    for seq_id in others:
        model.apply(Copy(seq_id, 0, 1))
    return best(lambda: model.save(0)) / len(others)


def _empty(model: Model) -> None:
    for seq_id in range(model.n_seq_max):
        model.apply(Truncate(seq_id, 0))


def measure_curve(
    model: Model, clock: Callable[[], float], step_s: float | None = None, threads: int | None = None
) -> StepCurve:
    """The step curve of a model that is not in use yet; also its warm-up. Logs what the machine can do."""
    token = model.vocabulary.bos or 0
    most = min(model.n_batch, model.n_ctx)

    def run(rows: int) -> float:
        began = clock()
        model.decode([Span(0, 0, [token] * min(rows, most), 1)])
        took = clock() - began
        model.apply(Truncate(0, 0))
        return took

    cpu, wall = time.process_time(), time.monotonic()
    points = {rows: took for rows, took in measure(run).items() if rows <= most}
    _report(points, model.size_bytes)
    if threads is not None:
        _warn_if_starved((time.process_time() - cpu) / max(time.monotonic() - wall, 1e-9), threads)
    return StepCurve(points, model.n_batch, step_s)


def _report(points: dict[int, float], size_bytes: int) -> None:
    most = max(points)
    logger.info(
        "this machine writes %.1f tok/s alone and reads %.0f tok/s; it reads weights at %.1f GB/s",
        1 / points[1], most / points[most], size_bytes / points[1] / 1e9,
        extra={
            "step_ms": {rows: round(took * 1e3, 2) for rows, took in points.items()},
            "huge_pages_mib": huge_pages_mib(),
        },
    )  # fmt: skip


def huge_pages_mib() -> int | None:
    """How much of this process is in transparent huge pages; None where the system does not say."""
    try:
        found = re.search(r"^AnonHugePages: *(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) // 1024 if found else None


def _warn_if_starved(cpus: float, threads: int) -> None:
    if cpus < STARVED * threads:
        logger.warning(
            "the threads are starved: expect a collapse; give the server more CPU or set N_THREADS lower",
            extra={"threads": threads, "cpus_had": round(cpus, 2)},
        )
