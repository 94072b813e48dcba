"""The comparison of training: both sides learn the same from the same tokens, and what is printed follows from it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from finetuning.base_model import Shape
from finetuning.frozen_llama import frozen_llama
from finetuning.memory import BITS, Mode
from finetuning.rate import multiplied
from tests.load.training.figures import figures, table
from tests.load.training.shapes import llama, write_random
from tests.load.training.sides import PLAIN, Task, Trained, reset_peak, status, train

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def shape() -> Shape:
    return llama(layers=2, width=256)


@pytest.fixture(scope="module")
def task(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("random")
    write_random(shape, folder)
    return Task(str(folder), "float32", tokens=64, batches=1, threads=1)


@pytest.fixture(scope="module", autouse=True)
def generator() -> Iterator[None]:
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.mark.parametrize(("side", "tolerance"), [("fast", 2e-3), ("lean", 2e-2)])
def test_ours_learns_what_the_plain_script_learns(task: Task, side: str, tolerance: float) -> None:
    ours, plain = train(side, task), train(PLAIN, task)
    assert plain.losses[1] < plain.losses[0]
    assert ours.losses == pytest.approx(plain.losses, abs=tolerance)


def test_a_7b_has_the_products_of_a_7b() -> None:
    assert multiplied(llama(32)) == 6_607_142_912


@pytest.mark.parametrize("mode", BITS)
def test_loading_never_holds_half_of_the_stored_weights_at_once_beyond_their_quantized_form(
    tmp_path: Path, mode: Mode
) -> None:
    shape = replace(llama(layers=8, width=1024), vocab=1024)
    write_random(shape, tmp_path)
    stored = sum(file.stat().st_size for file in tmp_path.glob("*.safetensors"))
    reset_peak()
    before = status("VmRSS")
    model = frozen_llama(tmp_path, torch.bfloat16, mode)
    assert status("VmHWM") - before < stored * BITS[mode] / 16 + stored / 2
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))


def test_shares_are_of_four_flop_without_recomputing_and_of_six_with(shape: Shape, task: Task) -> None:
    done = {side: Trained(2.0, 2.0, 2**30, 2**31, 0, (7.0, 6.9)) for side in (PLAIN, *BITS)}
    lines = {line.side: line for line in figures(shape, task, done, rate=1e9)}
    assert lines["fast"].share * 6 == pytest.approx(lines[PLAIN].share * 4)
    assert lines["lean"].share == lines[PLAIN].share == pytest.approx(6 * multiplied(shape) * 64 / 2 / 1e9)
    assert lines["fast"].ratio == lines["fast"].cpu_ratio == 1
    assert (lines["fast"].whole or 0) > 2**31
    assert table(lines.values()).count("7.0000 → 6.9000") == 3
