"""Short measurements of a model on this machine before it serves: its step curve, and whether the threads get CPUs."""

import logging
import time
from collections.abc import Callable

from assistant.engine.model import Copy, Model, Span, Truncate
from assistant.engine.step_curve import StepCurve, measure

logger = logging.getLogger(__name__)
DEPTH = 768
MANY_ROWS = 4
"""Cells behind which attention is measured, as of a conversation of some turns; rows of the larger of its two steps."""
STARVED = 0.75
"""CPU seconds a thread has to get in a second of computing; below, something else has the CPU or the quota is less."""


def attention_s(model: Model, clock: Callable[[], float]) -> float:
    """Seconds of a step with one row and one with four, each behind ``DEPTH`` cells or what there is room for.

    To read so many tokens would take half a minute on a 7B. Instead a few are read and their cells restored again and
    again, into sequences whose cells are then all shared with one: it attends to every copy, at the same positions.
    The model has two sequences or more.
    """
    copies = model.n_seq_max - 1
    depth = min(DEPTH, model.n_ctx - 2 * MANY_ROWS)
    rows = min(-(-depth // copies), model.n_batch)
    token = model.vocabulary.bos or 0
    model.decode([Span(1, 0, [token] * rows, 1)])
    saved = model.save(1)
    for seq_id in range(1, min(copies, depth // rows) + 1):
        if seq_id > 1 and not model.restore(seq_id, saved):
            break
        model.apply(Copy(seq_id, 0, rows))

    def run(count: int) -> float:
        began = clock()
        model.decode([Span(0, rows, [token] * count, 1)])
        took = clock() - began
        model.apply(Truncate(0, rows))
        return took

    try:
        return sum(min(run(count), run(count)) for count in (1, MANY_ROWS))
    finally:
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
        extra={"step_ms": {rows: round(took * 1e3, 2) for rows, took in points.items()}},
    )  # fmt: skip


def _warn_if_starved(cpus: float, threads: int) -> None:
    if cpus < STARVED * threads:
        logger.warning(
            "the threads are starved: expect a collapse; give the server more CPU or set N_THREADS lower",
            extra={"threads": threads, "cpus_had": round(cpus, 2)},
        )
