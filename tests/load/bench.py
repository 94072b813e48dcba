"""What a scenario is given to work with, and what it is."""

import contextlib
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil

from tests.load.clients import Endpoint, Reply
from tests.load.prompts import Prompts
from tests.load.report import Result, Row, Target, percentile
from tests.load.servers import Machine, Ours, Server, Setup

BLOCK: Final = 256
REFERENCE_BYTES: Final = 4.08e9
REFERENCE_DECODE_S: Final = 0.11
REFERENCE_PREFILL_S: Final = 0.048
QUIET_S: Final = 1.6
"""How long the machine has to do nothing before a turn: longer than our engine's pauses between idle prefixes."""
AT_REST: Final = 0.15
"""CPUs that may be busy then."""
LONGEST_REST_S: Final = 60.0

Side = TypeVar("Side")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things will take, roughly: a CodeLlama-7B as Q4_K_M on two cores, scaled by file size and threads."""

    load_s: float
    decode_s: float
    prefill_s: float

    @classmethod
    def guess(cls, machine: Machine) -> "Pace":
        size = machine.model.stat().st_size
        share = size / REFERENCE_BYTES * 2 / machine.threads
        return cls(4 + size * 2.5e-9, 0.002 + REFERENCE_DECODE_S * share, 0.0004 + REFERENCE_PREFILL_S * share)

    def seconds(self, *, starts: int = 0, prompt: int = 0, output: int = 0) -> float:
        """For so many starts of a server, prompt tokens to read, and tokens to write in all streams together."""
        return starts * self.load_s + prompt * self.prefill_s + output * self.decode_s


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides. ``rounds`` None is each scenario's own number."""

    cells: int = 8192
    sequences: int = 16
    quick: bool = False
    rounds: int | None = None
    long_prompt: int = 808
    overload_s: float = 300.0
    llama_bench: Path | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers, the prompts and the options. ``peer`` None: our figures alone, without ratios."""

    machine: Machine
    options: Options
    prompts: Prompts
    pace: Pace
    ours: Ours
    peer: Server | None

    @property
    def servers(self) -> tuple[Server, ...]:
        """Ours first, then the peer's, in the order of every round."""
        return (self.ours, self.peer) if self.peer else (self.ours,)

    @contextlib.contextmanager
    def together(self, setup: Setup) -> Iterator[tuple[Endpoint, ...]]:
        """All servers loaded at once, so that short turns of each can alternate: a machine's speed drifts by minutes.

        A server that is not asked anything computes nothing, or soon will (see ``in_turn``). Takes the memory of both.
        """
        with contextlib.ExitStack() as stack:
            yield tuple(stack.enter_context(server.running(setup)) for server in self.servers)

    def rounds(self, usual: int) -> int:
        return self.options.rounds or (1 if self.options.quick else usual)

    def setup(self, users: int, tokens: int, **environment: str) -> Setup:
        """Room for so many users with so many tokens each: whole blocks for each, never fewer than asked for."""
        each = -(-(tokens + 16) // BLOCK) * BLOCK
        return Setup(users, max(self.options.cells, users * each), environment)

    def size(self, tokens: int, room: int) -> int:
        """``tokens``, or fewer where the model's context would not leave ``room``; a third of it when in a hurry."""
        wanted = tokens // 3 if self.options.quick else tokens
        return min(wanted, self.prompts.context - room)

    def enough(self, tokens: int, seconds_each: float) -> int:
        """``tokens``, or as many as keep a small model busy for a second: less would measure the clock."""
        return max(tokens, min(int(1 / seconds_each), self.prompts.context // 4))

    def body(self, seed: str, tokens: int, max_tokens: int, **more: Any) -> dict[str, Any]:
        """A completion of made-up code that goes on to its limit, sampled as llama-server does by default."""
        return {"prompt": self.prompts.text(seed, tokens), **self.sampling(seed), "max_tokens": max_tokens, **more}

    def sampling(self, seed: str) -> dict[str, Any]:
        return {
            "temperature": 0.8,
            "top_p": 0.95,
            "seed": zlib.crc32(seed.encode()),
            "logit_bias": self.prompts.endless(),
        }


@dataclass(frozen=True, slots=True)
class Scenario:
    """One numbered item of what serving has to reach. ``seconds`` guesses how long ``run`` takes."""

    name: str
    title: str
    seconds: Callable[[Bench], float]
    run: Callable[[Bench], Result]


class Samples:
    """Figures by name and server, a value a round, in the order they were first heard of."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, list[float]]] = {}
        self.raw: dict[str, list[Any]] = {}

    def add(self, figure: str, server: str, value: float) -> None:
        self._values.setdefault(figure, {}).setdefault(server, []).append(value)

    def keep(self, label: str, server: str, replies: Sequence[Reply]) -> None:
        """Keep replies for the file of raw numbers."""
        self.raw.setdefault(f"{label}, {server}", []).append([reply.summary() for reply in replies])

    def of(self, figure: str, server: str) -> tuple[float, ...]:
        return tuple(self._values.get(figure, {}).get(server, ()))

    def row(self, bench: Bench, figure: str, unit: str, target: Target | None = None, peer: str | None = None) -> Row:
        """Ours beside the bench's peer, or the one named."""
        name = (bench.peer.name if bench.peer else "") if peer is None else peer
        return Row(figure, unit, self.of(figure, bench.ours.name), self.of(figure, name), name, target)

    def add_latencies(self, label: str, server: str, replies: Sequence[Reply]) -> None:
        """p50 and p95 of the time to the first token and of the gaps between chunks."""
        gaps = [gap for reply in replies for gap in reply.gaps]
        for share in (0.5, 0.95):
            name = f"p{share * 100:.0f}"
            self.add(f"{label}: TTFT {name}", server, percentile([reply.ttft for reply in replies], share))
            self.add(f"{label}: gap {name}", server, percentile(gaps, share))

    def latency_rows(self, bench: Bench, label: str) -> Iterator[Row]:
        for figure in ("TTFT p50", "TTFT p95", "gap p50", "gap p95"):
            yield self.row(bench, f"{label}: {figure}", "s")


def in_turn(sides: Sequence[Side], number: int) -> Iterator[Side]:
    """Forwards in even rounds, backwards in odd ones: what a machine gains or loses steadily evens out.

    Each one's turn begins when the machine is at rest: a server may go on working after its last answer, as ours does
    when it writes idle prefixes down, and would slow whoever is measured next.
    """
    for side in sides if number % 2 == 0 else reversed(sides):
        _await_rest()
        yield side


def _await_rest() -> None:
    deadline = time.monotonic() + LONGEST_REST_S
    while (busy := sum(psutil.cpu_percent(QUIET_S, percpu=True)) / 100) > AT_REST:
        if time.monotonic() > deadline:
            say(f"  the machine is not at rest: {busy:.1f} CPUs are busy")
            return


def say(text: str) -> None:
    """Progress, apart from the results."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
