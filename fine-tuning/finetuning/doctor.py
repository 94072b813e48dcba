"""What a run would find: rows, tokens, hours, memory, disk, base model, and what is missing. Changes nothing."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.models import TrainingRun, User
from codellama_core.resources import limits
from finetuning.base_model import BaseModel, Shape, identity
from finetuning.config import Environment, Settings, TrainSettings
from finetuning.dataset import gather, report_of
from finetuning.errors import ConfigError, DataError
from finetuning.memory import Mode, choose_mode, need

FREE_FILES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``fine`` is False for what would stop a run."""

    what: str
    finding: str
    fine: bool = True


def examine(engine: Engine, environment: Environment, settings: Settings) -> Iterator[Finding]:
    """Look at everything that a run depends on."""
    with Session(engine) as session:
        opted_out = session.scalar(select(func.count()).where(User.training_consent.is_(False)))
        champion = registry.champion(session)
    yield Finding("served", champion.name if champion else "nothing yet: the base model is compared with")
    yield Finding("opted out", f"{opted_out} users")
    if environment.source is not None:
        yield Finding("source", f"{environment.source} is taken in before a run; what is new in it is not counted here")
    try:
        base = BaseModel.load(environment.base)
        yield _weights(base)
        report = _collected(engine, base, environment, settings)
    except DataError as error:
        yield Finding("base model", str(error), fine=False)
        return
    yield from _rows(report, settings)
    yield from _machine(engine, base, environment, settings, _planned(report["train_tokens"], settings.train))


def _weights(base: BaseModel) -> Finding:
    return Finding("base model", f"{base.name}, {_size(base.shape) / 1e6:,.1f} M weights")


def _collected(engine: Engine, base: BaseModel, environment: Environment, settings: Settings) -> dict[str, Any]:
    rows, rejections = gather(engine, base, settings.extract, environment.licenses)
    return report_of(rows, rejections, settings.extract.min_gate_rows)


def _rows(report: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    rows, needed = report["rows"], settings.extract.min_gate_rows
    counted = f"{rows['train']:,} to learn from, {rows['dev']:,} to know when to stop, {rows['gate']:,} to judge by"
    yield Finding("rows", f"{counted} (at least {needed:,})", report["nothing_to_do"] is None)
    if report["nothing_to_do"]:
        yield Finding("missing", report["nothing_to_do"], fine=False)
    yield Finding("from", _counted(report["sources"]))
    yield Finding("left out", _counted(report["rejected"]))


def _planned(train_tokens: int, settings: TrainSettings) -> int:
    """Tokens that a run learns from when it is not stopped early."""
    tokens = min(int(train_tokens * settings.max_epochs), settings.max_tokens)
    return min(tokens, settings.max_steps * settings.tokens_per_step) if settings.max_steps else tokens


def _machine(
    engine: Engine, base: BaseModel, environment: Environment, settings: Settings, planned: int
) -> Iterator[Finding]:
    needed = FREE_FILES * 2 * _size(base.shape)
    folder = next(p for p in (environment.models_dir, *environment.models_dir.parents) if p.exists())
    free = shutil.disk_usage(folder).free
    yield Finding("disk", f"{free / 1e9:.1f} GB free, about {needed / 1e9:.1f} GB needed", free > needed)
    compute, limit = _compute(base.shape, settings.train), limits().memory_bytes
    try:
        mode = choose_mode(base.shape, settings.train, compute, limit)
    except ConfigError as error:
        yield Finding("memory", str(error), fine=False)
        return
    takes = need(base.shape, settings.train, compute, mode).total
    yield Finding("memory", f"{limit / 1e9:.1f} GB, training takes {takes / 1e9:.1f} GB ({mode})", takes < limit)
    yield from _time(engine, base.shape, identity(environment.base), settings.train, planned, compute, mode)


def _compute(shape: Shape, settings: TrainSettings) -> str:
    if settings.compute != "auto":
        return settings.compute
    from finetuning.rate import faster_compute

    return faster_compute(shape, settings.sequence_length)


def _time(
    engine: Engine, shape: Shape, base_model: str, settings: TrainSettings, planned: int, compute: str, mode: Mode
) -> Iterator[Finding]:
    stages = _last_stages(engine, base_model, compute, mode)
    if stages is not None:
        speed, how = float(stages["train"]["tokens_per_second"]), "as fast as the last run"
    else:
        from finetuning.rate import tokens_per_second

        speed = tokens_per_second(shape, settings.sequence_length, compute, mode)
        how = "projected from this machine's matrix products"
    hours, budget = planned / speed / 3600, settings.max_minutes / 60
    tokens = f"{planned:,} tokens in all epochs at {speed:,.1f} a second ({compute}, {mode}; {how})"
    short = f"; the limit of {budget:.1f} h ends it after {budget / hours:.0%}" if hours > budget else ""
    yield Finding("training", f"about {hours:.1f} h: {tokens}{short}")
    if stages is not None:
        others = {name: report["seconds"] / 60 for name, report in stages.items() if name != "train"}
        took = ", ".join(f"{name} {minutes:.1f} min" for name, minutes in others.items())
        yield Finding("the rest", f"took in the last run: {took}")


def _last_stages(engine: Engine, base_model: str, compute: str, mode: Mode) -> dict[str, Any] | None:
    """What the stages of the last run of this base reported that trained in this way; None without one."""
    trained = TrainingRun.stages["train"]
    alike = (trained["compute"].astext == compute, trained["mode"].astext == mode)
    query = select(TrainingRun.stages).where(TrainingRun.base_model == base_model, *alike)
    with Session(engine) as session:
        found: dict[str, Any] | None = session.scalar(query.order_by(TrainingRun.started_at.desc()).limit(1))
    return found if found and found["train"]["tokens_per_second"] > 0 else None


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


def _size(shape: Shape) -> int:
    return sum(sizes[0] * (sizes[1] if len(sizes) > 1 else 1) for sizes in shape.tensors().values())
