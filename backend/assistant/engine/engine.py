"""The engine: one thread that owns every model's context; the others post requests to it.

Life of a request: ``submit`` checks it and posts it to its model's inbox; the engine thread takes it into the queue,
admits it, reads its prompt in chunks and samples a token a step, each told through ``emit``; ``Finished`` ends it.
"""

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

from assistant.engine.kv_store import KvStore
from assistant.engine.lane import EngineOptions, Lane
from assistant.engine.model import Model
from assistant.engine.scheduler import Counters
from assistant.engine.self_test import measure_curve
from assistant.engine.sequence import Sequence
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import (
    Emit,
    EngineError,
    EngineStats,
    EngineStoppedError,
    Foresight,
    GenerateRequest,
    InvalidRequestError,
    UnknownModelError,
)

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
IDLE_S = 0.5
"""How long the thread sleeps at most when nothing is to be done: the heartbeat of an idle engine."""
MOST_FAILURES = 8
"""Steps that may fail in a row before the engine gives up."""
STALLED_S = 0.005
"""How long the thread sleeps while requests wait for saved prefixes."""
GATHERING = 0.02
LONGEST_QUIET_S = 0.04
MOST_QUIETS = 8
"""An idle engine listens for others for this share of its first step, after each who comes, so many times at most."""
CLOSE_S = 20.0
"""How long closing may take to write prefixes down."""
NICE = 5
"""How far those who compute stand back behind those who answer: beside a 7B on all CPUs, 429s come sooner by a quarter.
"""


class Engine:
    """Continuous batching over one model, or several while one replaces another.

    ``submit``, ``foresee``, ``cancel``, ``add_model``, ``activate``, ``retire``, ``stats`` and ``close`` may be called
    from any thread; ``step`` belongs to the engine thread, or to a test that never calls ``start``.
    """

    def __init__(self, options: EngineOptions | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options or EngineOptions()
        self._clock = clock
        self._counters = Counters()
        self._wake = threading.Condition()
        self._lanes: dict[str, Lane] = {}
        self._active: str | None = None
        self._requests: dict[str, Lane] = {}
        self._jobs: deque[Callable[[], None]] = deque()
        self._numbers = 0
        self._failures = 0
        self._stopped: str | None = None
        self._closing = False
        self._store = KvStore(self._options.kv_store, self._nudge)
        self._busy_at = clock()
        self._heartbeat = clock()
        self._turn = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the engine thread."""
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(self, request: GenerateRequest, emit: Emit, model_key: str | None = None) -> float:
        """Accept a request for the active model or the one named; its events go to ``emit``.

        Returns the seconds that it is expected to wait for its start.

        Raises QueueFullError, PromptTooLongError, InvalidRequestError, InvalidGrammarError, UnknownModelError,
        EngineStoppedError.
        """
        checked = self._lane(model_key)
        checked.check(request)
        grammar = checked.parse_grammar(request)
        try:
            with self._wake:
                lane = self._lane(model_key)
                if request.id in self._requests:
                    raise InvalidRequestError(f"request id {request.id} is in use")
                wait = lane.check_queue(request)
                self._numbers += 1
                self._requests[request.id] = lane
                lane.inbox.append(Sequence(request, emit, self._clock(), self._numbers, grammar, wait.simulated_s))
                self._wake.notify()
                return wait.expected_s
        except EngineError:
            if grammar is not None:
                grammar.close()
            raise

    def foresee(self, request: GenerateRequest, model_key: str | None = None) -> Foresight:
        """What a request would meet with if it were submitted now; asking takes no place and no step.

        Raises UnknownModelError, EngineStoppedError.
        """
        return self._lane(model_key).foresee(request)

    def cancel(self, request_id: str) -> bool:
        """End a request within one step, wherever it is. False: it has ended already, or never was."""
        with self._wake:
            lane = self._requests.get(request_id)
            if lane is None:
                return False
            lane.cancelled.add(request_id)
            self._wake.notify()
            return True

    def add_model(
        self, key: str, model: Model, curve: StepCurve | None = None, *, fingerprint: str | None = None,
        threads: int | None = None,
    ) -> None:  # fmt: skip
        """Take over a loaded model. The first one's step curve is measured, which takes some seconds for a 7B.

        ``fingerprint`` identifies its weights across restarts; prefixes saved under it are used again. Raises
        ModelLoadError when there is no memory for what has to be tried.
        """
        with self._wake:
            known = next(iter(self._lanes.values()), None)
        if curve is None and known is not None:
            curve = known.curve.copy()
        elif curve is None:
            curve = self._on_thread(partial(self._measure, model, threads))
        lane = Lane(
            key, model, curve, self._options, self._counters, self._clock, self._ended, self._store,
            f"{fingerprint or key}-{model.kv_layout}",
        )  # fmt: skip
        with self._wake:
            self._check_running()
            if key in self._lanes:
                raise EngineError(f"a model is loaded as {key} already")
            self._lanes[key] = lane

    def add_adapter(self, model_key: str, name: str, path: Path, timeout_s: float = 60.0) -> None:
        """Load a LoRA adapter for a model; requests may then name it. A name stands for one file for good.

        Raises ModelLoadError when the file is not an adapter of this model, UnknownModelError.
        """
        self._on_thread(partial(self._add_adapter, model_key, name, path), timeout_s)

    def remove_adapter(self, model_key: str, name: str, timeout_s: float = 60.0) -> None:
        """Let go of an adapter that no request uses any more. Raises EngineError while one does."""
        self._on_thread(partial(self._remove_adapter, model_key, name), timeout_s)

    def activate(self, key: str) -> None:
        """Requests that name no model go to this one from now on."""
        with self._wake:
            self._lane(key)
            self._active = key

    def retire(self, key: str) -> threading.Event:
        """Accept nothing more for a model; it is freed, and the event set, when its last request has ended."""
        with self._wake:
            lane = self._lanes.get(key)
            if lane is None:
                raise UnknownModelError(f"no model is loaded as {key}")
            if key == self._active:
                raise EngineError(f"{key} is the active model; activate another first")
            lane.retired = lane.retired or threading.Event()
            self._wake.notify()
            return lane.retired

    def close(self, timeout_s: float = 30.0) -> None:
        """End every request with an error, stop the thread and free the models."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is None:
            self._shut_down("the engine has been closed")
        elif self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    @property
    def heartbeat(self) -> float:
        """When the thread last began a turn, on the engine's clock (monotonic seconds)."""
        return self._heartbeat

    @property
    def running(self) -> bool:
        """False once the engine has been closed or has given up."""
        return self._stopped is None

    @property
    def active(self) -> str | None:
        """The key of the active model."""
        return self._active

    def stats(self) -> EngineStats:
        """A snapshot for metrics."""
        with self._wake:
            lanes = list(self._lanes.values())
            active = self._lanes.get(self._active) if self._active else None
        ledgers = [lane.scheduler.cache.cells for lane in lanes]
        shown = active or (lanes[0] if lanes else None)
        return EngineStats(
            active_model=self._active,
            models=tuple(lane.key for lane in lanes),
            running=sum(len(lane.scheduler.running) for lane in lanes),
            queue_depth=sum(lane.queue_depth for lane in lanes),
            predicted_wait_s=shown.predicted_wait() if shown else 0.0,
            kv_cells=sum(ledger.total for ledger in ledgers),
            kv_cells_used=sum(ledger.live for ledger in ledgers),
            kv_cells_cached=sum(ledger.idle for ledger in ledgers),
            kv_ram_bytes=self._store.ram_bytes,
            kv_disk_bytes=self._store.disk_bytes,
            **asdict(self._counters),
        )

    def step(self) -> bool:
        """One turn of the thread: a step of the next model that has work. False: there is nothing to do now."""
        self._heartbeat = self._clock()
        while self._jobs:
            self._jobs.popleft()()
        self._store.poll()
        lanes = self._lanes_in_turn()
        turns_s = sum(lane.last_step_s for lane in lanes)
        worked = any(self._step_lane(lane, turns_s - lane.last_step_s) for lane in lanes)
        self._free_retired()
        return worked

    def _run(self) -> None:
        reason = "the engine has been closed"
        if sys.platform == "linux":  # elsewhere it would be the whole process; threads of OpenMP inherit it
            os.nice(NICE)
        try:
            while not self._closing:
                self._gather()
                if not self.step():
                    self._sleep()
        except Exception as error:
            logger.exception("the engine thread has died")
            reason = f"the engine has failed: {error}"
        self._shut_down(reason)

    def _sleep(self) -> None:
        with self._wake:
            if self._closing or self._jobs or any(lane.retired and not lane.busy for lane in self._lanes.values()):
                return
            if any(lane.busy for lane in self._lanes.values()):
                self._busy_at = self._clock()
                self._wake.wait(STALLED_S)
                return
            self._wake.wait(IDLE_S)
            lanes = [lane for lane in self._lanes.values() if not lane.busy]
        if self._store.enabled and self._clock() - self._busy_at > 2 * IDLE_S:
            any(lane.save_idle() for lane in lanes)

    def _gather(self) -> None:
        """Where somebody has come to an idle engine, listen for a moment: prompts read together take less time."""
        with self._wake:
            came = 0
            for _ in range(MOST_QUIETS):
                lanes = [lane for lane in self._lanes.values() if lane.busy]
                here = sum(len(lane.inbox) for lane in lanes)
                if here == came or self._closing or not all(lane.starting for lane in lanes):
                    return
                came = here
                self._wake.wait(min(GATHERING * max(lane.first_step_s() for lane in lanes), LONGEST_QUIET_S))

    def _nudge(self) -> None:
        with self._wake:
            self._wake.notify()

    def _lanes_in_turn(self) -> list[Lane]:
        with self._wake:
            busy = [lane for lane in self._lanes.values() if lane.busy]
        if not busy:
            return []
        self._busy_at = self._heartbeat
        self._turn += 1
        first = self._turn % len(busy)
        return [*busy[first:], *busy[:first]]

    def _step_lane(self, lane: Lane, others_s: float) -> bool:
        try:
            worked = lane.step(others_s)
            self._failures = 0
        except Exception as error:
            logger.exception("a step of model %s failed", lane.key)
            self._failures += 1
            lane.fail_step(f"the engine failed on this request: {error}")
            if self._failures >= MOST_FAILURES:
                raise
            return True
        return worked

    def _on_thread(self, job: Callable[[], Result], timeout_s: float | None = None) -> Result:
        """Run a job between two steps, and wait for it.

        All that computes has to be the engine's thread: OpenMP keeps a team of threads for each caller, and stops
        spinning at barriers when all teams together are more than the CPUs, which costs a fifth of the speed.
        """
        if self._thread is None or self._thread is threading.current_thread():
            return job()
        done: Future[Result] = Future()
        with self._wake:
            self._check_running()
            self._jobs.append(partial(_settle, done, job))
            self._wake.notify()
        return done.result(timeout_s)

    def _measure(self, model: Model, threads: int | None) -> StepCurve:
        model.tune(self._clock)
        return measure_curve(model, self._clock, self._options.step_s, threads)

    def _add_adapter(self, model_key: str, name: str, path: Path) -> None:
        lane = self._lane(model_key)
        lane.model.add_adapter(name, path)
        lane.adapters.add(name)

    def _remove_adapter(self, model_key: str, name: str) -> None:
        self._lane(model_key).drop_adapter(name)

    def _free_retired(self) -> None:
        with self._wake:
            done = [lane for lane in self._lanes.values() if lane.retired and not lane.busy]
            for lane in done:
                del self._lanes[lane.key]
        for lane in done:
            lane.close()
            logger.info("model %s has been freed", lane.key)
            if lane.retired:
                lane.retired.set()

    def _shut_down(self, reason: str) -> None:
        with self._wake:
            if self._stopped is not None:
                return
            self._stopped = reason
            lanes = list(self._lanes.values())
            self._lanes.clear()
        while self._jobs:
            self._jobs.popleft()()
        deadline = self._clock() + CLOSE_S
        for lane in lanes:
            try:
                lane.fail_all(reason)
                while self._store.on_disk and self._clock() < deadline and lane.save_idle():
                    pass
                lane.close()
            except Exception:
                logger.exception("closing model %s failed", lane.key)
            if lane.retired:
                lane.retired.set()
        self._store.close(max(deadline - self._clock(), 1.0))

    def _ended(self, request_id: str) -> None:
        with self._wake:
            self._requests.pop(request_id, None)

    def _lane(self, key: str | None) -> Lane:
        self._check_running()
        name = self._active if key is None else key
        lane = self._lanes.get(name) if name is not None else None
        if lane is None or lane.retired:
            raise UnknownModelError(f"no model is loaded as {name}" if name else "no model is active")
        return lane

    def _check_running(self) -> None:
        if self._stopped is not None or self._closing:
            raise EngineStoppedError(self._stopped or "the engine is closing")


def _settle(done: "Future[Result]", job: Callable[[], Result]) -> None:
    """Run a job and give its outcome to whoever waits."""
    try:
        done.set_result(job())
    except Exception as error:
        done.set_exception(error)
