"""The gate: what is worse or the same is refused, whatever way it is worse; what is better passes."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from codellama_core import registry
from finetuning.base_model import BaseModel
from finetuning.context import Context
from finetuning.dataset import extract
from finetuning.errors import ConfigError
from finetuning.evaluate import evaluate, require_same_vocabulary, table
from finetuning.export import MODEL, make_model
from finetuning.gguf_model import Delta, write_model
from finetuning.ingest import ingest
from finetuning.scores import Losses, difference_interval, repeats_itself
from tests.fine_tuning.world import OWN_SOURCE, make_context, settings


@pytest.fixture
def context(engine: Engine, tmp_path: Path, demo_hf: Path) -> Context:
    context = make_context(engine, demo_hf, tmp_path, settings(export={"quantization": "F16"}))
    ingest(engine, OWN_SOURCE)
    extract(context)
    return context


def scrambled(base: BaseModel, amount: float) -> Delta:
    """Noise on all weights of the last layer, in proportion to their size."""

    def delta(name: str) -> Any:
        if f"layers.{base.shape.layers - 1}.mlp" not in name:
            return None
        weight = base.weights.read(name).astype(np.float32)
        noise = np.random.default_rng(0).standard_normal(weight.shape).astype(np.float32)
        return amount * weight.std() * noise

    return delta


def passed(verdict: dict[str, Any]) -> dict[str, bool]:
    return {check["check"]: check["passed"] for check in verdict["checks"]}


def test_a_scrambled_candidate_is_refused_with_figures(context: Context) -> None:
    write_model(context.base, context.staging / MODEL, scrambled(context.base, 2.0))
    verdict = evaluate(context)
    assert verdict["passed"] is False
    assert passed(verdict)["gate NLL"] is False
    assert passed(verdict)["general-code NLL"] is False
    assert "gate NLL" in table(verdict)
    assert "NO" in table(verdict)


def test_a_candidate_that_is_the_champion_is_refused(context: Context) -> None:
    write_model(context.base, context.staging / MODEL)
    verdict = evaluate(context)
    assert verdict["passed"] is False
    assert [name for name, fine in passed(verdict).items() if not fine] == ["gate NLL"]


def test_a_candidate_better_than_the_champion_passes(context: Context, tmp_path: Path) -> None:
    write_model(context.base, tmp_path / "poor.gguf", scrambled(context.base, 2.0))
    with Session(context.engine) as session, session.begin():
        file: dict[str, Any] = {"path": tmp_path / "poor.gguf", "name": "poor", "sha256": "0" * 64, "size_bytes": 1}
        version = registry.register(session, models_dir=tmp_path, **file)
        registry.promote(session, version.id)
        poor = str(version.id)
    write_model(context.base, context.staging / MODEL)
    verdict = evaluate(context)
    assert verdict["passed"] is True
    assert verdict["champion_id"] == poor


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda base: replace(base, template=base.template + " "), "chat template"),
        (
            lambda base: replace(base, vocabulary=replace(base.vocabulary, scores=base.vocabulary.scores[::-1])),
            "tokens",
        ),
    ],
)
def test_a_candidate_that_talks_another_way_is_refused(
    context: Context, change: Callable[[BaseModel], BaseModel], check: str
) -> None:
    write_model(change(context.base), context.staging / MODEL)
    (fine,) = [fine for name, fine in passed(evaluate(context)).items() if name.startswith(check)]
    assert fine is False


def test_a_served_model_of_another_vocabulary_is_refused_before_any_training(
    context: Context, demo_hf: Path, tmp_path: Path
) -> None:
    other = replace(context.base, vocabulary=replace(context.base.vocabulary, pieces=pieces(context.base)))
    make_model(other, tmp_path / "other.gguf", "F16", 1)
    with Session(context.engine) as session, session.begin():
        file: dict[str, Any] = {"path": tmp_path / "other.gguf", "name": "other", "sha256": "1" * 64, "size_bytes": 1}
        registry.promote(session, registry.register(session, models_dir=tmp_path, **file).id)
    with pytest.raises(ConfigError, match="FINETUNE_BASE"):
        require_same_vocabulary(context)
    shutil.rmtree(context.folder)


def pieces(base: BaseModel) -> tuple[str, ...]:
    return (*base.vocabulary.pieces[:-1], "something_else")


def test_the_interval_tells_a_real_difference_from_noise() -> None:
    random = np.random.default_rng(0)
    tokens = random.integers(20, 200, 60)
    champion = Losses(3.0 * tokens + random.normal(0, 20, 60), tokens)
    better = Losses(champion.nll - 0.2 * tokens + random.normal(0, 2, 60), tokens)
    noisy = Losses(champion.nll + random.normal(0, 5, 60), tokens)
    low, high = difference_interval(champion, better, 1000)
    assert low < -0.2 < high < 0
    low, high = difference_interval(champion, noisy, 1000)
    assert low < 0 < high


def test_an_answer_that_repeats_itself_is_seen() -> None:
    assert repeats_itself([9, 8, *[1, 2, 3, 4] * 4])
    assert not repeats_itself([1, 2, 3, 4] * 3)
    assert not repeats_itself(list(range(200)))
