"""The measurement of exports: its steps are the pipeline's own, and their files are whole."""

from pathlib import Path

from gguf import GGUFReader

from tests.load.export import MERGED, STEPS, Step, measured, table, write_inputs
from tests.load.training.shapes import llama


def test_every_step_leaves_its_file_and_the_table_names_them_all(tmp_path: Path) -> None:
    shape = llama(layers=2, width=256)
    write_inputs(shape, tmp_path)
    steps = {step: measured(step, tmp_path, 1, "Q4_0") for step in STEPS}
    for name in (MERGED, "model.gguf"):
        assert len(GGUFReader(tmp_path / name).tensors) == len(shape.tensors())
    assert len(GGUFReader(tmp_path / "adapter.gguf").tensors) == 2 * 7 * shape.layers
    assert all(step in table(shape, steps, 1) for step in STEPS)


def test_merging_is_compared_with_a_copy_and_its_memory_with_the_largest_tensor() -> None:
    shape = llama(layers=1, width=4096)
    steps = {"merge": Step(3.0, 1.0, 2**30), "copy": Step(2.0, 1.0, 0)}
    largest = 2 * shape.vocab * shape.hidden
    assert f"1.50 times as long as a copy, and {(2**30 - largest) / 2**20:.0f} MiB" in table(shape, steps, 1)
