"""Stage 2, train: a LoRA adapter on the run's training rows, resumable at every checkpoint.

The schedule is fixed by steps, epochs and tokens; the minutes are a budget on top of it. So a run that is stopped and
goes on takes the same steps on the same data as one that is not.
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from codellama_core.models import Split
from codellama_core.resources import limits
from finetuning.adapter import FOLDER
from finetuning.base_model import BaseModel
from finetuning.checkpoints import Checkpoints
from finetuning.config import TrainSettings
from finetuning.context import Context
from finetuning.curve import curve
from finetuning.dataset import read_rows, within
from finetuning.errors import ConfigError, DataError, InterruptedRunError
from finetuning.gguf_model import gguf_names
from finetuning.held_out import require_held_out
from finetuning.importance import IMPORTANCE, write_importance
from finetuning.learner import Learner, shuffled
from finetuning.memory import Mode, choose_mode, need
from finetuning.packing import Pack, pack
from finetuning.progress import Progress
from finetuning.rate import DTYPES, faster_compute
from finetuning.rows import Row

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Cursor:
    """Where training is. ``pack`` counts within the epoch; ``targets`` and ``loss`` belong to the step under way,
    ``measured`` (summed losses of dev packs) to the judgement under way.

    ``compute`` and ``mode`` are those that the run began with: others would round differently.
    """

    compute: str
    mode: Mode = "fast"
    step: int = 0
    epoch: int = 0
    pack: int = 0
    tokens: int = 0
    targets: int = 0
    loss: float = 0.0
    minutes: float = 0.0
    judged: int = -1
    best: float = math.inf
    stale: int = 0
    measured: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    dev_losses: list[list[float]] = field(default_factory=list)


def train(context: Context) -> dict[str, Any]:
    """Train until a budget is used up or the dev loss stops falling; writes the best adapter in PEFT's format.

    Raises ConfigError when the loss is not a number, InterruptedRunError (checkpoint written) when told to stop.
    """
    torch.set_num_threads(context.environment.threads)
    settings = context.settings.train
    rows = read_rows(context.folder, Split.TRAIN)
    require_held_out(rows, read_rows(context.folder, Split.GATE), context.settings.extract.near_duplicate)
    dev = within(read_rows(context.folder, Split.DEV), settings.dev_tokens)
    compute = _compute(settings, context.base)
    mode = choose_mode(context.base.shape, settings, compute, limits().memory_bytes)
    trainer = Trainer(context.base, settings, rows, dev, context.folder, Cursor(compute, mode))
    _log(trainer.cursor, context)
    trainer.run(context.progress)
    return trainer.report()


class Trainer:
    """The training loop of one run."""

    def __init__(
        self, base: BaseModel, settings: TrainSettings, rows: list[Row], dev: list[Row], folder: Path, cursor: Cursor
    ) -> None:
        if not rows:
            raise DataError("The data set has no training rows.")
        self._settings, self._rows, self._folder, self._shape = settings, rows, folder, base.shape
        self._checkpoints = Checkpoints(folder)
        self._best: dict[str, torch.Tensor] = {}
        newest = self._checkpoints.newest()
        saved = torch.load(newest, weights_only=True) if newest else None
        self.cursor = Cursor(**saved["cursor"]) if saved else cursor
        self.learner = Learner(base.folder, settings, DTYPES[self.cursor.compute], self.cursor.mode)
        if saved:
            self.learner.restore(saved["learner"])
            self._best = saved["best"]
        self._dev = pack(dev, settings.sequence_length)
        self._total = self._steps()
        self._saved = self._ticked = time.monotonic()

    def run(self, progress: Progress) -> None:
        """Train to the end; writes a checkpoint every so often and when told to stop."""
        try:
            self._learn_all(progress)
        except InterruptedRunError:
            self._save()
            raise
        self._save()
        self.learner.write_adapter(self._best, self._folder / FOLDER)
        self._write_importance()

    def _write_importance(self) -> None:
        squares, names = self.learner.squares, gguf_names(self._shape)
        sums = {names[name]: values.numpy() for name, values in squares.sums.items()}
        counts = {names[name]: count for name, count in squares.counts.items()}
        write_importance(self._folder / IMPORTANCE, sums, counts, self._settings.sequence_length)

    def report(self) -> dict[str, Any]:
        """What training did."""
        dev = self.cursor.dev_losses
        return {
            "steps": self.cursor.step,
            "epochs": round(self.cursor.tokens / sum(len(row.ids) for row in self._rows), 2),
            "tokens": self.cursor.tokens,
            "minutes": round(self.cursor.minutes, 2),
            "tokens_per_second": round(self.cursor.tokens / max(1e-9, 60 * self.cursor.minutes), 1),
            "compute": self.cursor.compute,
            "mode": self.cursor.mode,
            "parameters": sum(p.numel() for p in self.learner.parameters),
            "losses": [round(loss, 4) for loss in self.cursor.losses],
            "dev_losses": dev,
            "curve": self._curve(),
            "dev_loss_before": dev[0][1] if dev else None,
            "dev_loss_after": min(loss for _, loss in dev) if dev else None,
        }

    def _learn_all(self, progress: Progress) -> None:
        packs = self._packs()
        while True:
            if self._judgement_due():
                self._judge(progress)
            if self._is_done():
                return
            self._learn(next(packs))
            self._save_when_due()
            progress.report(self._fraction(), {"curve": self._curve()}, eta_s=self._eta(), **self._figures())

    def _packs(self) -> Iterator[Pack]:
        """What is still to be learned, from the cursor on, without end."""
        while True:
            order = shuffled(self._rows, self._settings.seed, self.cursor.epoch)
            yield from pack(order, self._settings.sequence_length)[self.cursor.pack :]
            self.cursor.epoch, self.cursor.pack = self.cursor.epoch + 1, 0

    def _learn(self, part: Pack) -> None:
        cursor = self.cursor
        loss = self.learner.accumulate(part)
        if not math.isfinite(loss):
            raise ConfigError(f"The loss is not a number at step {cursor.step}: lower train.learning_rate.")
        cursor.loss += loss
        cursor.targets += len(part.targets)
        cursor.tokens += part.ids.numel()
        cursor.pack += 1
        if cursor.tokens >= (cursor.step + 1) * self._settings.tokens_per_step:
            self.learner.step(cursor.targets, cursor.step, self._total)
            cursor.losses.append(cursor.loss / cursor.targets)
            cursor.step, cursor.loss, cursor.targets = cursor.step + 1, 0.0, 0
        self._tick()

    def _tick(self) -> None:
        now = time.monotonic()
        self.cursor.minutes, self._ticked = self.cursor.minutes + (now - self._ticked) / 60, now

    def _out_of_budget(self) -> bool:
        return self.cursor.step >= self._total or self.cursor.minutes >= self._settings.max_minutes

    def _judgement_due(self) -> bool:
        cursor = self.cursor
        between_steps = cursor.targets == 0 and cursor.judged != cursor.step
        return between_steps and (cursor.step % self._settings.eval_every == 0 or self._out_of_budget())

    def _is_done(self) -> bool:
        judged = self.cursor.judged == self.cursor.step
        return judged and (self._out_of_budget() or self.cursor.stale >= self._settings.patience)

    def _judge(self, progress: Progress) -> None:
        """Measure the dev loss, keep the adapter if it is the best so far; without dev rows the latest is kept."""
        cursor = self.cursor
        loss = self._dev_loss(progress) if self._dev else -cursor.step
        if loss < cursor.best:
            cursor.best, cursor.stale, self._best = loss, 0, self.learner.adapter()
        else:
            cursor.stale += 1
        if self._dev:
            cursor.dev_losses.append([cursor.step, round(loss, 4)])
        cursor.judged = cursor.step
        self._tick()

    def _dev_loss(self, progress: Progress) -> float:
        """Mean loss per target of the dev rows, in nats. On slow machines it takes longer than may be lost."""
        measured = self.cursor.measured
        for part in self._dev[len(measured) :]:
            progress.check()
            measured.append(self.learner.measure(part))
            self._save_when_due()
        self.cursor.measured = []
        return sum(measured) / sum(len(part.targets) for part in self._dev)

    def _save_when_due(self) -> None:
        if time.monotonic() - self._saved >= self._settings.checkpoint_seconds:
            self._save()

    def _save(self) -> None:
        content = {"learner": self.learner.state(), "cursor": asdict(self.cursor), "best": self._best}
        self._checkpoints.save(lambda path: torch.save(content, path))
        self._saved = time.monotonic()

    def _steps(self) -> int:
        tokens = sum(len(row.ids) for row in self._rows) * self._settings.max_epochs
        tokens = min(tokens, self._settings.max_tokens)
        steps = max(1, round(tokens / self._settings.tokens_per_step))
        return min(steps, self._settings.max_steps or steps)

    def _fraction(self) -> float:
        done = max(self.cursor.step / self._total, self.cursor.minutes / self._settings.max_minutes)
        return min(done, 0.999)

    def _eta(self) -> float:
        fraction = self._fraction()
        minutes = self.cursor.minutes
        left = minutes * (1 - fraction) / fraction if fraction > 0 else self._settings.max_minutes
        return round(60 * max(0.0, min(left, self._settings.max_minutes - minutes)), 1)

    def _curve(self) -> dict[str, Any]:
        return curve(self.cursor.losses, self.cursor.dev_losses, self._settings.tokens_per_step)

    def _figures(self) -> dict[str, Any]:
        cursor = self.cursor
        return {
            "step": cursor.step,
            "steps": self._total,
            "loss": round(cursor.losses[-1], 4) if cursor.losses else None,
            "dev_loss": cursor.dev_losses[-1][1] if cursor.dev_losses else None,
            "tokens_per_second": round(cursor.tokens / max(1e-9, 60 * cursor.minutes), 1),
        }


def _log(cursor: Cursor, context: Context) -> None:
    needed = need(context.base.shape, context.settings.train, cursor.compute, cursor.mode).total
    figures = {"compute": cursor.compute, "mode": cursor.mode, "needed_gib": round(needed / 2**30, 1)}
    logger.info("training", extra={"figures": {**figures, "limit_gib": round(limits().memory_bytes / 2**30, 1)}})


def _compute(settings: TrainSettings, base: BaseModel) -> str:
    return faster_compute(base.shape, settings.sequence_length) if settings.compute == "auto" else settings.compute
