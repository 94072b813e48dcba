"""A run's record: which one is open, what each stage reported, how far the present one is."""

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from codellama_core.models import RunState, TrainingRun
from finetuning.errors import BusyError, DatabaseAwayError, InterruptedRunError, UsageError

logger = logging.getLogger(__name__)

RUN_LOCK: Final = 4_711_003
STAGES: Final = ("extract", "train", "export", "evaluate", "publish")
PATIENCE_S: Final = 3600.0
"""For how long a run waits for a database that is away, between two stages."""
RETRY_S: Final = 2.0


class RunLock:
    """The pipeline's lock on a database, held by a connection of its own: it goes where the connection goes."""

    def __init__(self, engine: Engine, patience_s: float = PATIENCE_S) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._patience_s = patience_s
        self._connection: Connection | None = None

    def take(self) -> None:
        """Raises BusyError when another process holds it, OperationalError when the database is away."""
        connection = self._engine.connect()
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": RUN_LOCK}):
            connection.close()
            raise BusyError("Another fine-tuning run works on this database; this one ends without doing anything.")
        self._connection = connection

    def renew(self) -> None:
        """Take it again if it was lost. A database that is away may come back: nothing is done about that here.

        Raises BusyError when another process has taken it meanwhile.
        """
        with suppress(OperationalError):
            self._hold()

    def wait(self, stop: Event) -> None:
        """Come back when it is held, and so when the database is there.

        Raises BusyError when another process has taken it meanwhile, InterruptedRunError when ``stop`` is set,
        DatabaseAwayError when the database is away for too long.
        """
        deadline, told = time.monotonic() + self._patience_s, False
        while True:
            try:
                self._hold()
                return
            except OperationalError as error:
                reason = " ".join(str(error.orig).split())
                if time.monotonic() > deadline:
                    away = f"The database has been away for {self._patience_s / 60:.0f} minutes: {reason}."
                    raise DatabaseAwayError(away) from error
            if not told:
                logger.warning("the database is away (%s); waiting for it", reason)
            told = True
            if stop.wait(RETRY_S):
                raise InterruptedRunError("Stopped; the next run goes on from here.")

    def release(self) -> None:
        """Let others have it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": RUN_LOCK})
        except SQLAlchemyError:
            logger.info("The database is away; its lock went with the connection.")
        connection.close()

    def _hold(self) -> None:
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
                return
            except OperationalError:
                lost, self._connection = self._connection, None
                lost.invalidate()
                lost.close()
        self.take()


@contextmanager
def exclusive(engine: Engine) -> Iterator[RunLock]:
    """Hold the pipeline's lock on this database. Raises BusyError when another process holds it."""
    lock = RunLock(engine)
    lock.take()
    try:
        yield lock
    finally:
        lock.release()


class RunRecord:
    """One row of ``training_runs``, written in short transactions of its own."""

    def __init__(self, engine: Engine, run_id: uuid.UUID) -> None:
        self._engine = engine
        self.id = run_id

    def read(self) -> TrainingRun:
        """The row as it is now. Raises UsageError when there is none."""
        with Session(self._engine, expire_on_commit=False) as session:
            run = session.get(TrainingRun, self.id)
        if run is None:
            raise UsageError(f"There is no run {self.id}.")
        return run

    def enter(self, stage: str) -> None:
        """The run is now in ``stage``."""
        self._write(stage=stage, state=RunState.RUNNING, error=None, finished_at=None)

    def advance(self, progress: dict[str, Any]) -> bool:
        """Show how far the stage is; whether that was written. A database that is away is logged: the work goes on."""
        try:
            self._write(progress=progress)
        except SQLAlchemyError as error:
            logger.warning("progress not written: %s", error.__class__.__name__)
            return False
        return True

    def finish_stage(self, stage: str, report: dict[str, Any], **values: Any) -> None:
        """Keep what a stage reported."""
        stages = TrainingRun.stages.op("||")(func.jsonb_build_object(stage, _json(report)))
        self._write(stages=stages, **values)

    def finish(self, state: RunState, error: str | None = None, *, resumable: bool = False) -> None:
        """End the run; ``resumable`` says that another try may go on where this one stopped."""
        now = datetime.now(UTC)
        progress = TrainingRun.progress.op("||")(func.jsonb_build_object("resumable", resumable))
        self._write(state=state, error=error, finished_at=now, progress=progress)

    def _write(self, **values: Any) -> None:
        with self._engine.begin() as connection:
            statement = update(TrainingRun).where(TrainingRun.id == self.id)
            connection.execute(statement.values(heartbeat_at=func.now(), **values))


def open_run(engine: Engine, base_model: str, settings: dict[str, Any], within: timedelta) -> tuple[RunRecord, bool]:
    """The newest unfinished run of the same base and settings, or a new one; and whether it is resumed.

    Unfinished runs that are older, or of other settings, are marked failed: their data may be out of date.
    """
    with Session(engine) as session, session.begin():
        oldest = datetime.now(UTC) - within
        found: uuid.UUID | None = None
        for run in session.scalars(select(TrainingRun).order_by(TrainingRun.started_at.desc(), TrainingRun.id.desc())):
            if not _unfinished(run):
                continue
            same = run.base_model == base_model and run.settings == settings and run.started_at > oldest
            if found is None and same:
                found = run.id
                continue
            run.state, run.finished_at = RunState.FAILED, run.finished_at or datetime.now(UTC)
            run.error, run.progress = run.error or "replaced by a newer run", {**run.progress, "resumable": False}
        if found is not None:
            return RunRecord(engine, found), True
        new = TrainingRun(stage=STAGES[0], base_model=base_model, settings=settings)
        session.add(new)
        session.flush()
        return RunRecord(engine, new.id), False


def _unfinished(run: TrainingRun) -> bool:
    return run.state is RunState.RUNNING or (run.state is RunState.FAILED and bool(run.progress.get("resumable")))


def newest_run(engine: Engine) -> RunRecord:
    """The newest run of all. Raises UsageError when there is none."""
    with Session(engine) as session:
        run_id = session.scalar(select(TrainingRun.id).order_by(TrainingRun.started_at.desc()).limit(1))
    if run_id is None:
        raise UsageError("There is no run yet: start with 'python -m finetuning run' or 'extract'.")
    return RunRecord(engine, run_id)


def _json(value: dict[str, Any]) -> ColumnElement[Any]:
    return literal(value, JSONB)
