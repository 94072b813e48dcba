"""Stage 4, evaluate: the file that would be served against the one that is. Every figure has a name and a limit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.models import Split
from codellama_core.prompt import template_sha256
from finetuning import leaks, scores, speed
from finetuning.context import Context
from finetuning.dataset import read_rows, within
from finetuning.errors import ConfigError
from finetuning.export import MODEL, make_model
from finetuning.library import probe_items
from finetuning.llama import LlamaModel
from finetuning.rows import Row, RowMaker
from finetuning.tasks import CONTEXT_TOKENS, Task, count_solved, tasks

TEMPLATE_KEY: Final = "tokenizer.chat_template"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict. ``threshold`` says in words what ``candidate`` must reach.

    ``interval`` is the 95 % interval of candidate minus champion, where one can be had.
    """

    check: str
    champion: float | str | None
    candidate: float | str | None
    threshold: str
    passed: bool
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured of one file."""

    gate: scores.Losses
    probe: scores.Losses
    infill: float | None
    bad_endings: int | None
    template: str
    parity: bool
    solved: int
    leaked: int


@dataclass(frozen=True, slots=True)
class Material:
    """What files are measured on."""

    gate: list[Row]
    probe: list[Row]
    infill: list[Row]
    endings: list[Row]
    texts: list[str]
    tasks: list[Task]
    secrets: list[leaks.Probe]
    from_sources: bool


def evaluate(context: Context) -> dict[str, Any]:
    """Compare candidate and champion; the report is ``verdict`` (checks, passed) and which champion it was."""
    champion_id, champion = champion_file(context)
    material = _material(context)
    before = _measure(context, champion, material, 0.0)
    after = _measure(context, candidate_file(context), material, 0.5)
    checks = [*_checks(context, before, after), *_deeds(context, before, after, material), _speed(context, champion)]
    return {
        "passed": all(check.passed for check in checks),
        "champion_id": champion_id,
        "gate_rows": len(material.gate),
        "gate_tokens": int(before.gate.tokens.sum()),
        "checks": [asdict(check) for check in checks],
    }


def table(verdict: dict[str, Any]) -> str:
    """A verdict as text for people."""
    header = ("check", "champion", "candidate", "threshold", "passed")
    lines = [header, *(tuple(_cell(check[name]) for name in header) for check in verdict["checks"])]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def champion_file(context: Context) -> tuple[str | None, Path]:
    """Id and file of the version that is served; the plain base, quantized the same, when there is none yet."""
    with Session(context.engine) as session:
        version = registry.champion(session)
        if version is not None:
            return str(version.id), registry.file_of(version, context.environment.models_dir)
    base = context.folder / "base.gguf"
    if not base.exists():
        make_model(context.base, base, context.settings.export.quantization, context.environment.threads)
    return None, base


def candidate_file(context: Context) -> Path:
    """The file that this run made, wherever publishing has brought it."""
    staged = context.staging / MODEL
    return staged if staged.exists() else context.version_folder / MODEL


def require_same_vocabulary(context: Context) -> None:
    """Raises ConfigError when the served model is not of FINETUNE_BASE's kind: their losses could not be compared."""
    _, champion = champion_file(context)
    with LlamaModel(champion, threads=1, vocabulary_only=True) as model:
        same = model.vocabulary_size == context.base.shape.vocab and all(
            model.piece(i) == context.base.vocabulary.pieces[i] for i in range(model.vocabulary_size)
        )
    if not same:
        raise ConfigError(
            f"The served model {champion.name} has another vocabulary than FINETUNE_BASE ({context.base.name}): "
            "set FINETUNE_BASE to the Hugging Face folder that the served model was made from."
        )


def _material(context: Context) -> Material:
    settings = context.settings.evaluate
    gate = within(read_rows(context.folder, Split.GATE), settings.gate_tokens)
    maker = RowMaker(context.base, context.settings.extract.max_tokens, 0.0)
    probe = within((row for item in probe_items() for row in maker.rows(item, Split.GATE)), settings.probe_tokens)
    infill = [row for row in gate if row.kind == "infill"][: settings.infill_rows]
    chats = [row for row in gate if row.kind == "chat"][: settings.ending_rows]
    texts = [item.target for item in probe_items()[:8]]
    secrets, from_sources = leaks.probes_of_run(context, settings.secrets)
    return Material(
        gate=gate,
        probe=probe,
        infill=infill,
        endings=chats or infill[: settings.ending_rows],
        texts=[*texts, *ODD_TEXTS],
        tasks=tasks()[: settings.tasks],
        secrets=secrets,
        from_sources=from_sources,
    )


ODD_TEXTS: Final = (
    "  two spaces, a\ttab\nand a line",
    "naïve café ☺ 漢字 \U0001f600",
    "<s> </s> [INST] <<SYS>> ▁<PRE> <0x0A>",
    "\n\n\r\n ",
    "x=1;y  =  22222",
)


def _measure(context: Context, file: Path, material: Material, start: float) -> Figures:
    settings = context.settings.evaluate
    size = max(CONTEXT_TOKENS, context.settings.extract.max_tokens + settings.generate_tokens)
    rows = len(material.gate) + len(material.probe)

    def done(number: int) -> None:
        context.progress.report(start + 0.4 * number / rows, file="champion" if start == 0 else "candidate")

    with LlamaModel(file, threads=context.environment.threads, context=size) as model:
        return Figures(
            gate=scores.losses(model, material.gate, done),
            probe=scores.losses(model, material.probe, lambda number: done(number + len(material.gate))),
            infill=scores.infill_similarity(model, material.infill, settings.generate_tokens)
            if material.infill
            else None,
            bad_endings=scores.bad_endings(model, material.endings, settings.generate_tokens)
            if material.endings
            else None,
            template=template_sha256(model.metadata(TEMPLATE_KEY) or context.base.template)[:12],
            parity=all(model.tokenize(t) == list(context.base.vocabulary.tokenize(t)) for t in material.texts),
            solved=count_solved(model, material.tasks, settings.generate_tokens, context.progress.check),
            leaked=leaks.count_leaks(model, material.secrets, context.progress.check),
        )


def _checks(context: Context, before: Figures, after: Figures) -> list[Check]:
    settings = context.settings.evaluate
    low, high = scores.difference_interval(before.gate, after.gate, settings.bootstrap_samples)
    forgotten = scores.difference_interval(before.probe, after.probe, settings.bootstrap_samples)
    wanted = f"95 % interval of the difference below 0 (is {low:+.4f} to {high:+.4f})"
    worst = before.probe.mean * (1 + settings.probe_tolerance)
    template = template_sha256(context.base.template)[:12]
    checks = [
        Check("gate NLL", _round(before.gate.mean), _round(after.gate.mean), wanted, high < 0, _rounded((low, high))),
        Check(
            "general-code NLL",
            _round(before.probe.mean),
            _round(after.probe.mean),
            f"at most {worst:.4f} (+{settings.probe_tolerance:.0%})",
            after.probe.mean <= worst,
            _rounded(forgotten),
        ),
    ]
    if before.infill is not None and after.infill is not None:
        least = before.infill - settings.infill_tolerance
        figures = (_round(before.infill), _round(after.infill), f"at least {least:.2f}", after.infill >= least)
        checks.append(Check("infill similarity", *figures))
    if before.bad_endings is not None and after.bad_endings is not None:
        most = before.bad_endings + settings.ending_tolerance
        counts = (before.bad_endings, after.bad_endings, f"at most {most}", after.bad_endings <= most)
        checks.append(Check("answers that do not end or repeat", *counts))
    same = after.template == template
    checks.append(Check("chat template", before.template, after.template, f"is {template}", same))
    parity = ("yes" if before.parity else "no", "yes" if after.parity else "no", "yes", after.parity)
    checks.append(Check("tokens as in training", *parity))
    return checks


def _deeds(context: Context, before: Figures, after: Figures, material: Material) -> list[Check]:
    """What the files do rather than find likely: tasks solved, secrets given away."""
    checks = []
    if material.tasks:
        least = before.solved - context.settings.evaluate.task_tolerance
        wanted = f"at least {max(0, least)} of {len(material.tasks)}"
        checks.append(Check("tasks solved", before.solved, after.solved, wanted, after.solved >= least))
    origin = "of this run's sources" if material.from_sources else "planted ones: the sources had none"
    wanted = f"0 of {len(material.secrets)} ({origin})"
    checks.append(Check("secrets that come back", before.leaked, after.leaked, wanted, after.leaked == 0))
    return checks


def _speed(context: Context, champion: Path) -> Check:
    settings = context.settings.evaluate
    limit = 1 - settings.speed_tolerance
    measured = speed.compare(
        champion,
        candidate_file(context),
        threads=context.environment.threads,
        tokens=settings.speed_tokens,
        rounds=settings.speed_rounds,
        limit=limit,
        before_each=context.progress.check,
    )
    return speed_check(measured, limit)


def speed_check(measured: Sequence[tuple[float, float]], limit: float) -> Check:
    """The line on tokens per second, from (champion, candidate) of every round."""
    before, after = (round(median(column), 1) for column in zip(*measured, strict=True))
    share = median(speed.ratios(measured))
    wanted = f"at least {limit:.0%} of the champion (is {share:.1%}, median of {len(measured)} rounds)"
    return Check("tok/s", before, after, wanted, share >= limit)


def _rounded(interval: tuple[float, float]) -> tuple[float, float]:
    low, high = interval
    return _round(low), _round(high)


def _round(value: float) -> float:
    return round(value, 4)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return "-" if value is None else str(value)
