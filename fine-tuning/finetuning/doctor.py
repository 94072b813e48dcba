"""What a run would find: rows, consent, disk, memory, base model. Changes nothing."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.models import User
from codellama_core.resources import limits
from finetuning.base_model import BaseModel, Shape
from finetuning.config import Environment, Settings, TrainSettings
from finetuning.errors import ConfigError, DataError
from finetuning.memory import choose_mode, need
from finetuning.sources import read_items

FREE_FILES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``fine`` is False for what would stop a run."""

    what: str
    finding: str
    fine: bool = True


def examine(engine: Engine, environment: Environment, settings: Settings) -> Iterator[Finding]:
    """Look at everything that a run depends on."""
    items, rejections = read_items(engine)
    yield Finding("rows", _counted(Counter(item.source.value for item in items)), bool(items))
    yield Finding("left out", _counted(Counter(rejection.reason for rejection in rejections)))
    with Session(engine) as session:
        opted_out = session.scalar(select(func.count()).where(User.training_consent.is_(False)))
        champion = registry.champion(session)
    yield Finding("opted out", f"{opted_out} users")
    yield Finding("served", champion.name if champion else "nothing yet: the base model is compared with")
    yield from _machine(environment, settings)


def _machine(environment: Environment, settings: Settings) -> Iterator[Finding]:
    try:
        shape = BaseModel.load(environment.base).shape
    except DataError as error:
        yield Finding("base model", str(error), fine=False)
        return
    weights = sum(_product(size) for size in shape.tensors().values())
    yield Finding("base model", f"{environment.base.name}, {weights / 1e6:.1f} M weights")
    folder = next(p for p in (environment.models_dir, *environment.models_dir.parents) if p.exists())
    free, needed = shutil.disk_usage(folder).free, FREE_FILES * 2 * weights
    yield Finding("disk", f"{free / 1e9:.1f} GB free, about {needed / 1e9:.1f} GB needed", free > needed)
    yield _memory(shape, settings.train)


def _memory(shape: Shape, settings: TrainSettings) -> Finding:
    """The mode that training would choose. It times both compute types first; here the larger one is assumed."""
    compute, limit = "float32" if settings.compute == "auto" else settings.compute, limits().memory_bytes
    try:
        mode = choose_mode(shape, settings, compute, limit)
    except ConfigError as error:
        return Finding("memory", str(error), fine=False)
    needed = need(shape, settings, compute, mode).total
    return Finding("memory", f"{limit / 1e9:.1f} GB, training takes {needed / 1e9:.1f} GB ({mode})", needed < limit)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _product(sizes: tuple[int, ...]) -> int:
    return sizes[0] * (sizes[1] if len(sizes) > 1 else 1)
