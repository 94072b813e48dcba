"""The stages in order, each done once per run: what is finished is found on disk and skipped.

A stage is finished when ``runs/<id>/<stage>.json`` exists, which is written atomically after everything it speaks of.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from threading import Event
from types import ModuleType
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from codellama_core.database import RevisionError, check_revision, sync_engine
from codellama_core.models import RunState
from finetuning.base_model import identity
from finetuning.config import Environment, Settings
from finetuning.context import Context
from finetuning.errors import (
    BusyError,
    ConfigError,
    DatabaseAwayError,
    DataError,
    FinetuneError,
    GateRefusedError,
    InterruptedRunError,
)
from finetuning.files import read_json, write_json
from finetuning.imports import importing
from finetuning.ingest import ingest
from finetuning.progress import Progress
from finetuning.runs import STAGES, RunLock, RunRecord, open_run

logger = logging.getLogger(__name__)

MODULES: Final = {
    "extract": "dataset",
    "train": "train",
    "export": "export",
    "evaluate": "evaluate",
    "publish": "publish",
}
Report = dict[str, Any]


def connect(url: str) -> Engine:
    """The database, its schema checked. Raises ConfigError when it is not the one that this code was written for."""
    try:
        engine = sync_engine(url)
        check_revision(engine)
    except (RevisionError, ValueError) as error:
        raise ConfigError(str(error)) from error
    except OperationalError as error:
        raise DatabaseAwayError(f"The database does not answer: {' '.join(str(error.orig).split())}.") from error
    return engine


def open_or_resume(engine: Engine, environment: Environment, settings: Settings) -> RunRecord:
    """The unfinished run of these settings and this base, or a new one."""
    within = timedelta(hours=settings.publish.resume_within_hours)
    record, resumed = open_run(engine, identity(environment.base), settings.model_dump(mode="json"), within)
    logger.info("%s run %s", "going on with" if resumed else "new", record.id)
    return record


class Pipeline:
    """One run's stages."""

    def __init__(
        self,
        engine: Engine,
        environment: Environment,
        settings: Settings,
        record: RunRecord,
        lock: RunLock,
        stop: Event,
    ) -> None:
        self._engine, self._environment, self._settings = engine, environment, settings
        self._record, self._lock, self._stop = record, lock, stop

    def run(self) -> str:
        """All stages that are left; returns how it ended, in a sentence.

        Raises GateRefusedError when the candidate is refused, and what the stages raise; the run's row says it too.
        """
        if self._environment.source is not None:
            counts = ingest(self._engine, self._environment.source, licenses=self._environment.licenses)
            logger.info("ingested", extra={"figures": dict(counts)})
        for stage in STAGES:
            report = self.stage(stage)
            if stage == "extract" and report["nothing_to_do"]:
                self._record.finish(RunState.NOTHING_TO_DO)
                return str(report["nothing_to_do"])
        return self._ending(report)

    def stage(self, name: str) -> Report:
        """One stage, unless it is done already; returns its report. Failures are written to the run's row."""
        done = self._context(name).folder / f"{name}.json"
        try:
            missing = not done.exists()
            if missing:
                self._require_before(name)
                self._lock.wait(self._stop)
                self._record.enter(name)
                self._work(name, done)
            report = read_json(done)
            self._lock.wait(self._stop)
            if missing and name != STAGES[-1]:  # which ends the run itself
                self._require_open()
            self._record.finish_stage(name, _shown(report), **_columns(name, report))
        except (BusyError, InterruptedRunError):
            raise
        except Exception as error:
            self._fail(error)
            raise
        return report

    def _work(self, name: str, done: Any) -> None:
        progress = Progress(self._record, name, self._stop, self._lock.renew)
        context = self._context(name, progress)
        if name == "extract":
            _module("evaluate").require_same_vocabulary(context)
        work: Callable[[Context], Report] = getattr(_module(MODULES[name]), name)
        began = time.monotonic()
        try:
            progress.report(0.0)
            report = work(context)
            progress.show(1.0)
        finally:
            progress.close()
        write_json(done, {**report, "seconds": round(time.monotonic() - began, 1)})

    def _require_before(self, name: str) -> None:
        for earlier in STAGES[: STAGES.index(name)]:
            if not (self._context(name).folder / f"{earlier}.json").exists():
                raise DataError(f"Run {self._record.id} has not finished {earlier!r}, which {name!r} builds on.")

    def _require_open(self) -> None:
        """Raises BusyError when the lock was away for a while, and another process has brought this run to an end."""
        state = self._record.read().state
        if state is not RunState.RUNNING:
            raise BusyError(f"Another process has gone on with run {self._record.id}: it is {state} now.")

    def _context(self, stage: str, progress: Progress | None = None) -> Context:
        progress = progress or Progress(self._record, stage, self._stop, quiet=True)
        return Context(self._settings, self._environment, self._engine, self._record, progress)

    def _fail(self, error: Exception) -> None:
        """Write the failure down. Bad settings, data and weights end the run; anything else may be tried again."""
        folder = self._context("publish").folder
        if error.__class__.__name__ == "ChampionChangedError":
            (folder / "evaluate.json").unlink(missing_ok=True)
            resumable = True
        else:
            resumable = isinstance(error, DatabaseAwayError) or not isinstance(error, FinetuneError)
        try:
            self._record.finish(RunState.FAILED, f"{error}" or error.__class__.__name__, resumable=resumable)
        except SQLAlchemyError:
            logger.warning("the failure could not be written down: the database is away")

    def _ending(self, published: Report) -> str:
        verdict = read_json(self._context("publish").folder / "evaluate.json")
        table = _module("evaluate").table(verdict)
        if not verdict["passed"]:
            raise GateRefusedError(f"Refused: {published['name']} is not better than the served model.\n{table}")
        return f"{table}\nPublished: {published['name']} is served from now on."


def _module(name: str) -> ModuleType:
    """A stage is imported when it is due."""
    with importing():
        return import_module(f"finetuning.{name}")


def _shown(report: Report) -> Report:
    """What the run's row keeps: checks have a column of their own, and of all losses there is the curve."""
    return {key: value for key, value in report.items() if key not in ("checks", "losses", "dev_losses")}


def _columns(stage: str, report: Report) -> dict[str, Any]:
    """What goes into columns of their own."""
    if stage == "extract":
        return {"dataset_fingerprint": report["fingerprint"]}
    return {"verdict": report} if stage == "evaluate" else {}
