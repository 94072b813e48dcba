"""Train ours and the plain script on a model of CodeLlama-7B's shape, in turn: python -m tests.load.training

Prints speed, memory, losses, and each one's share of what the machine's matrix products reach. The plain script is
transformers and PEFT with stored weights, gradient checkpointing and one row at a time. Every side runs in a process of
its own, on the same random weights and tokens. Nothing else may run on the machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from finetuning.config import limit_threads, prepare_libraries
from finetuning.memory import BITS
from tests.load.training.figures import Line, figures, table
from tests.load.training.shapes import llama, write_random
from tests.load.training.sides import DTYPES, PLAIN, Task, Trained

HUGE_PAGES: Final = "THP_MEM_ALLOC_ENABLE"


def main() -> int:
    arguments = _parser().parse_args()
    prepare_libraries()
    limit_threads(arguments.threads)
    shape = llama(arguments.layers, arguments.width)
    with tempfile.TemporaryDirectory(prefix="training-") as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "config.json").exists():
            _say(f"writing random weights to {folder}")
            write_random(shape, folder)
        task = Task(str(folder), arguments.compute, arguments.tokens, arguments.batches, arguments.threads)
        sizes = {"rows": task.tokens, "hidden": shape.hidden, "intermediate": shape.intermediate}
        product = {**sizes, "compute": task.compute, "threads": task.threads}
        rates, trained = [_child("rate", product)], {}
        for side in arguments.side or (PLAIN, *BITS):
            _say(f"training {side}")
            trained[side] = Trained(**_child(side, asdict(task)))
        rates.append(_child("rate", product))
    lines = figures(shape, task, trained, max(rates))
    print(f"{task.compute}, {task.threads} threads, {shape.layers} layers, {task.batches} x {task.tokens} tokens")
    before, after = (f"{rate / 1e9:.0f}" for rate in rates)
    print(f"matrix products: {before} GFLOP/s before, {after} after; shares are of the higher\n{table(lines)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(_document(task, rates, trained, lines), indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", action="append", choices=(PLAIN, *BITS), help="only this one; may be given again")
    parser.add_argument("--compute", choices=tuple(DTYPES), default="float32")
    parser.add_argument("--layers", type=int, default=8, help="of the 32")
    parser.add_argument("--width", type=int, default=4096, help="narrower, to try whether everything runs")
    parser.add_argument("--tokens", type=int, default=1024, help="of a micro-batch")
    parser.add_argument("--batches", type=int, default=2, help="micro-batches that are timed, after one that is not")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path, help="keep the random model there, or use the one that is there")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser


def _child(side: str, given: Mapping[str, Any]) -> Any:
    """What a process of its own printed. Huge pages are part of ours; nobody writes them into a plain script."""
    environment = {name: value for name, value in os.environ.items() if side != PLAIN or name != HUGE_PAGES}
    command = [sys.executable, "-m", "tests.load.training.sides", side, json.dumps(given)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _document(task: Task, rates: list[float], trained: Mapping[str, Trained], lines: list[Line]) -> dict[str, Any]:
    sides = {side: asdict(result) for side, result in trained.items()}
    return {"task": asdict(task), "rates": rates, "sides": sides, "lines": [asdict(line) for line in lines]}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
