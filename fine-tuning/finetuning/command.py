"""What the commands do once the environment is read; returns what to print."""

import logging
import sys
import uuid
from pathlib import Path

from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.licenses import is_allowed
from codellama_core.models import AuditLog
from finetuning.checkout import name_of, shown, source_folder
from finetuning.config import (
    Environment,
    Settings,
    database_url,
    environment,
    load_settings,
    prepare_libraries,
    training_licenses,
)
from finetuning.doctor import examine as examine_everything
from finetuning.errors import FinetuneError, UsageError
from finetuning.ingest import ingest
from finetuning.pipeline import Pipeline, connect, open_or_resume
from finetuning.progress import JsonFormatter, stop_on_signals
from finetuning.runs import RunRecord, exclusive, newest_run


def run_all(config: Path | None) -> str:
    """The whole pipeline."""
    surroundings, settings = _prepare(config)
    engine = connect(surroundings.database_url)
    with exclusive(engine) as lock, stop_on_signals() as stop:
        record = open_or_resume(engine, surroundings, settings)
        return Pipeline(engine, surroundings, settings, record, lock, stop).run()


def run_stage(name: str, run_id: uuid.UUID | None, config: Path | None) -> str:
    """One stage of one run; ``extract`` without a run opens one."""
    surroundings, settings = _prepare(config)
    engine = connect(surroundings.database_url)
    with exclusive(engine) as lock, stop_on_signals() as stop:
        if run_id is not None:
            record = RunRecord(engine, run_id)
        else:
            record = open_or_resume(engine, surroundings, settings) if name == "extract" else newest_run(engine)
        settings = Settings.model_validate(record.read().settings)
        Pipeline(engine, surroundings, settings, record, lock, stop).stage(name)
    return f"{name}: done, run {record.id}"


def take_in(source: str, ref: str | None, repo: str | None, license_name: str | None, only: list[str] | None) -> str:
    """Ingest a folder or a git repository."""
    engine, licenses = connect(database_url()), training_licenses()
    if license_name is not None and not is_allowed(license_name, licenses):
        raise UsageError(f"{license_name} is not among the licenses to learn from: add it to TRAINING_LICENSES.")
    name = shown(repo or name_of(source))
    with source_folder(source, ref) as folder:
        counts = ingest(engine, folder, name, license_name, frozenset(only) if only else None, licenses)
    figures = ", ".join(f"{what}: {count}" for what, count in sorted(counts.items()))
    return f"{name}: {figures or 'nothing there'}"


def roll_back() -> str:
    """Make the previous version the champion again."""
    with Session(connect(database_url())) as session, session.begin():
        try:
            version = registry.rollback(session)
        except registry.NoPreviousVersionError as error:
            raise FinetuneError(f"Nothing to go back to: {error}.") from error
        session.add(AuditLog(action="model.rollback", subject=version.name))
        return f"{version.name} is served from now on."


def examine() -> int:
    """Print the doctor's findings; 0 when a run could start."""
    surroundings, settings = _prepare(None)
    findings = list(examine_everything(connect(surroundings.database_url), surroundings, settings))
    for finding in findings:
        print(f"{'ok ' if finding.fine else 'BAD'} {finding.what:11} {finding.finding}")
    return 0 if all(finding.fine for finding in findings) else 1


def _prepare(config: Path | None) -> tuple[Environment, Settings]:
    prepare_libraries()
    _log()
    surroundings = environment()
    return surroundings, load_settings(config or surroundings.config)


def _log() -> None:
    handler = logging.StreamHandler()
    if not sys.stderr.isatty():
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    logging.getLogger("finetuning").setLevel(logging.WARNING if sys.stderr.isatty() else logging.INFO)
