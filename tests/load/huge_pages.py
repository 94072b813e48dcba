"""What huge pages are worth to a model file: python -m tests.load.huge_pages --model FILE

Two processes hold the same model, one of them with GLIBC_TUNABLES as the server's image has it, and take turns with
steps of so many rows. Prints the seconds of both, the ratio of each turn (median, and the quarters around it), and how
much of each process is in huge pages. Nothing else may run on the machine.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from assistant.engine.llama import ModelOptions, load_model
from assistant.engine.model import Span, Truncate
from assistant.engine.self_test import huge_pages_mib
from codellama_core import ggml
from tests.load.report import aligned
from tests.servers import HUGE_PAGES

ROUNDS: Final = {1: 24, 4: 16, 32: 8, 128: 3}
"""Rows of a step, and turns of each process with it."""
HEAD: Final = ("rows", "s without", "s with", "ratio", "quarters")


class Side:
    """A process that runs steps when it is told to."""

    def __init__(self, model: Path, threads: int, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.load.huge_pages", "--model", str(model), "--threads", str(threads)]
        self._process = subprocess.Popen(
            [*command, "--serve"], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.huge_mib = int(self._line())

    def step(self, rows: int) -> float:
        """Seconds of one step."""
        assert self._process.stdin is not None
        print(rows, file=self._process.stdin, flush=True)
        return float(self._line())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"a process has ended with code {self._process.wait()}")
        return line


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.huge_pages", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--share", type=float, default=1.0, help="of the turns")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.model, arguments.threads)
        return 0
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    sides = [Side(arguments.model, arguments.threads, {**environment, **more}) for more in ({}, HUGE_PAGES)]
    try:
        print("in huge pages, MiB: {} without, {} with".format(*(side.huge_mib for side in sides)))
        print(aligned([HEAD, *compare(sides, arguments.share)]))
    finally:
        for side in sides:
            side.close()
    return 0


def compare(sides: list[Side], share: float) -> list[list[str]]:
    """A line for each number of rows; who begins changes from turn to turn."""
    lines = []
    for rows, turns in ROUNDS.items():
        took: list[list[float]] = [[], []]
        for turn in range(max(2, round(turns * share))):
            for number in (0, 1) if turn % 2 else (1, 0):
                took[number].append(sides[number].step(rows))
        ratios = [after / before for before, after in zip(*took, strict=True)]
        low, middle, high = quantiles(ratios, n=4)
        lines.append([str(rows), *(f"{median(each):.4g}" for each in took), f"{middle:.3f}", f"{low:.2f}-{high:.2f}"])
    return lines


def serve(path: Path, threads: int) -> None:
    """Load a model, and answer each number of rows with the seconds that a step of as many takes."""
    ggml.load_cpu_variants()
    model = load_model(path, ModelOptions(n_ctx=512, threads=threads, flash_attention=False))
    token = model.vocabulary.bos or 0

    def step(rows: int) -> float:
        began = time.perf_counter()
        model.decode([Span(0, 0, [token] * rows, 1)])
        took = time.perf_counter() - began
        model.apply(Truncate(0, 0))
        return took

    step(1)
    print(huge_pages_mib() or 0, flush=True)
    for line in sys.stdin:
        print(step(int(line)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
