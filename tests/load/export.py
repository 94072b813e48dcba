"""Export a model of CodeLlama-7B's shape: python -m tests.load.export

Prints the seconds and the most memory of merging an adapter into stored weights, quantizing, and writing the adapter,
beside a plain copy of the file that merging writes. Every step runs in a process of its own, on random weights. Takes
31 GB of disk for all 32 layers.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import save_file

from finetuning.adapter import Adapter, write_adapter
from finetuning.base_model import LINEARS, BaseModel, Shape
from finetuning.files import sync
from finetuning.gguf_model import gguf_names, write_model
from finetuning.importance import IMPORTANCE, write_importance
from finetuning.quantize import quantize
from tests.load.training.shapes import llama, write_random
from tests.load.training.sides import status

DEMO: Final = Path(__file__).resolve().parent.parent.parent / "fine-tuning" / "demo_model"
RANK: Final = 16
MERGED: Final = "merged.gguf"
LOOK_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Step:
    """What a step took. ``memory``: at most so many bytes more than at its start, mapped files not counted."""

    wall_s: float
    cpu_s: float
    memory: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.export", description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=32, help="of the 32")
    parser.add_argument("--width", type=int, default=4096, help="narrower, to try whether everything runs")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kind", default="Q4_K_M")
    parser.add_argument("--step", choices=tuple(STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(asdict(measured(arguments.step, arguments.folder, arguments.threads, arguments.kind))))
        return 0
    with tempfile.TemporaryDirectory(prefix="export-") as name:
        shape, folder = llama(arguments.layers, arguments.width), Path(name)
        write_inputs(shape, folder)
        common = ["--folder", name, "--threads", str(arguments.threads), "--kind", arguments.kind]
        steps = {step: _child([*common, "--step", step]) for step in STEPS}
        print(table(shape, steps, (folder / MERGED).stat().st_size))
    return 0


def write_inputs(shape: Shape, folder: Path) -> None:
    """Random weights, a random adapter on all linear layers, and a random importance matrix."""
    write_random(shape, folder / "base")
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(DEMO / name, folder / "base" / name)
    generator = torch.Generator().manual_seed(0)
    linears = {name: size for name, size in shape.tensors().items() if f".{_linear(name)}." in name}
    factors = {}
    for name, (rows, columns) in ((name, (size[0], size[1])) for name, size in linears.items()):
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        factors[f"{stem}.lora_A.weight"] = torch.randn(RANK, columns, generator=generator) * 0.01
        factors[f"{stem}.lora_B.weight"] = torch.randn(rows, RANK, generator=generator) * 0.01
    (folder / "adapter").mkdir()
    save_file(factors, folder / "adapter" / "adapter_model.safetensors")
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": 2 * RANK}))
    names = gguf_names(shape)
    squares = {names[name]: np.random.default_rng(0).random(size[1], np.float32) for name, size in linears.items()}
    write_importance(folder / IMPORTANCE, squares, dict.fromkeys(squares, 1), 1024)


def measured(step: str, folder: Path, threads: int, kind: str) -> Step:
    """Do one step in this process."""
    base = BaseModel.load(folder / "base", "random")
    before, most = status("RssAnon"), [0]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_S):
            most[0] = max(most[0], status("RssAnon"))

    watcher = threading.Thread(target=look)
    watcher.start()
    wall, cpu = time.perf_counter(), time.process_time()
    STEPS[step](base, folder, threads, kind)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    ended.set()
    watcher.join()
    return Step(wall, cpu, most[0] - before)


def table(shape: Shape, steps: dict[str, Step], merged_bytes: int) -> str:
    """All steps; merging in ratio to the copy."""
    largest = 2 * max(int(np.prod(size)) for size in shape.tensors().values())
    lines = [f"{shape.layers} layers, {merged_bytes / 1e9:.2f} GB merged in 16 bits"]
    for name, step in steps.items():
        lines.append(f"{name:10}{step.wall_s:8.1f} s{step.cpu_s:8.1f} s CPU{step.memory / 2**20:8.0f} MiB")
    ratio = steps["merge"].wall_s / steps["copy"].wall_s
    beyond = (steps["merge"].memory - largest) / 2**20
    lines.append(f"merging takes {ratio:.2f} times as long as a copy, and {beyond:.0f} MiB beyond the largest tensor")
    return "\n".join(lines)


def _merge(base: BaseModel, folder: Path, threads: int, kind: str) -> None:
    write_model(base, folder / MERGED, Adapter(folder / "adapter").delta)


def _copy(base: BaseModel, folder: Path, threads: int, kind: str) -> None:
    shutil.copyfile(folder / MERGED, folder / "copy")
    sync(folder / "copy")
    (folder / "copy").unlink()


def _quantize(base: BaseModel, folder: Path, threads: int, kind: str) -> None:
    quantize(folder / MERGED, folder / "model.gguf", kind, threads, folder / IMPORTANCE)


def _adapter(base: BaseModel, folder: Path, threads: int, kind: str) -> None:
    write_adapter(Adapter(folder / "adapter"), base, folder / "adapter.gguf")


STEPS: Final[dict[str, Callable[[BaseModel, Path, int, str], None]]] = {
    "merge": _merge, "copy": _copy, "quantize": _quantize, "adapter": _adapter,
}  # fmt: skip


def _linear(name: str) -> str:
    return next((linear for linear in LINEARS if name.endswith(f"{linear}.weight")), "none")


def _child(arguments: list[str]) -> Step:
    command = [sys.executable, "-m", "tests.load.export", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Step(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    sys.exit(main())
