"""A long run of random traffic against our server: python -m tests.load.soak --model FILE --minutes 120

Requests arrive, are cut, vanish before their first token, bring long prompts and go on from each other, while the
served version is swapped for another and back. No request may be stuck or fail, every greedy answer has to be what its
version writes alone (``judge.py``, meanwhile), nothing may be left in the system at the end, and the
server's memory must not grow.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
import psutil
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import sync_engine
from tests.load.bench import say
from tests.load.clients import Client, Endpoint, Reply, Stream
from tests.load.judge import TOLERANCE, Judge, Verdict
from tests.load.report import slope
from tests.load.servers import embedded_database
from tests.load.traffic import Plan, Traffic
from tests.servers import Backend

ROOT: Final = Path(__file__).resolve().parent.parent.parent
MOST_GROWTH: Final = 0.01
"""Of the server's resident memory, an hour."""
TOO_LONG: Final = "context_length_exceeded"
ENVIRONMENT: Final = {
    "N_CTX": "4096",
    "N_SEQ_MAX": "8",
    "QUEUE_MAX_WAIT_S": "20",
    "KV_RAM_MIB": "32",
    "KV_DISK_MIB": "64",
    "FLASH_ATTENTION": "off",
}
"""Tight on purpose: prefixes are evicted to RAM and disk, long prompts preempt, bursts are refused. Attention as the
judge's: another kind rounds otherwise."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``bound_s`` is when a request is called stuck; ``swap_s`` the time between swaps."""

    seconds: float
    rate: float = 3.0
    seed: int = 1
    swap_s: float = 45.0
    bound_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Told:
    """A request and what came of it; ``reply`` None is one that never ended."""

    plan: Plan
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Flagged:
    """A greedy answer that its model would not have given."""

    told: Told
    verdict: Verdict


@dataclass(slots=True)
class Findings:
    """What a run has shown. ``memory`` is seconds since the start and resident bytes."""

    told: list[Told] = field(default_factory=list)
    swaps: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)
    left_in_system: dict[str, float] = field(default_factory=dict)
    judged: int = 0
    judged_tokens: int = 0
    deviation: float = 0.0
    flagged: list[Flagged] = field(default_factory=list)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(_outcome(told) for told in self.told)

    def growth(self) -> float | None:
        """Share of the memory that is added in an hour, after the first fifth of the time; None for short runs."""
        settled = [point for point in self.memory if point[0] >= self.memory[-1][0] / 5]
        if not settled or settled[-1][0] < 600:
            return None
        return slope(settled) * 3600 / settled[0][1]

    def faults(self) -> list[str]:
        """A sentence for each thing that must not be."""
        outcomes, growth = self.outcomes, self.growth()
        faults = [f"{outcomes['stuck']} requests never ended"] if outcomes["stuck"] else []
        faults += [f"failed: {told.reply}" for told in self.told if told.reply and _outcome(told) == "failed"]
        faults += [f"{name} is {value:g} when all is over" for name, value in self.left_in_system.items() if value]
        faults += [f"not its model's answer: {flag.verdict.reason}" for flag in self.flagged]
        if growth is not None and growth > MOST_GROWTH:
            faults.append(f"memory grows by {growth:.1%} an hour")
        return faults


def soak(backend: Backend, database_url: str, versions: Sequence[Path], settings: Settings) -> Findings:
    """Serve ``versions`` in turn under random traffic, then look at what came of it. The database is the server's."""
    engine = sync_engine(database_url)
    try:
        names = register(engine, versions)
        with Court(names) as court:
            with backend.start():
                findings = asyncio.run(_drive(backend, engine, settings, court))
                findings.left_in_system = _left_in_system(backend)
            court.tell(findings)
    finally:
        engine.dispose()
    return findings


def register(engine: Engine, versions: Sequence[Path]) -> dict[str, Path]:
    """Write the versions down, the first as champion and the second as the one before it; their files by name."""
    names: dict[str, Path] = {}
    with Session(engine) as session, session.begin():
        for path in reversed(versions):
            version = registry.register(
                session, models_dir=path.parent, path=path.resolve(), name=registry.name_of(path),
                sha256=registry.sha256_of(path), size_bytes=path.stat().st_size,
            )  # fmt: skip
            version.path = str(path.resolve())
            names[version.name] = path
            registry.promote(session, version.id)
    return names


async def _drive(backend: Backend, engine: Engine, settings: Settings, court: "Court") -> Findings:
    findings, traffic = Findings(), Traffic(settings.seed, settings.rate)
    assert backend.process is not None
    watching = [
        asyncio.create_task(_watch_memory(psutil.Process(backend.process.pid), findings)),
        asyncio.create_task(_swap(engine, settings.swap_s, findings)),
    ]
    began = time.monotonic()
    async with Client(Endpoint("ours", backend.url)) as client:
        tasks: set[asyncio.Task[Told]] = set()
        for plan in traffic.plans(settings.seconds):
            await asyncio.sleep(max(0.0, began + plan.at - time.monotonic()))
            task = asyncio.create_task(_carry_out(client, plan, traffic, settings.bound_s))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda done: _note(done.result(), findings, court))
        await asyncio.gather(*tasks)
    for each in watching:
        each.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return findings


async def _carry_out(client: Client, plan: Plan, traffic: Traffic, bound_s: float) -> Told:
    try:
        reply = await asyncio.wait_for(_read(client.start(plan.body), plan), bound_s)
    except TimeoutError:
        return Told(plan, None)
    traffic.learn(plan, reply)
    return Told(plan, reply)


def _note(told: Told, findings: Findings, court: "Court") -> None:
    findings.told.append(told)
    court.hear(told)


async def _read(stream: Stream, plan: Plan) -> Reply:
    if plan.fate == "cut":
        await stream.reaches(plan.patience)
        stream.cut()
    elif plan.fate == "vanish":
        await asyncio.sleep(plan.patience / 1000)
        stream.cut()
    return await stream.end()


async def _watch_memory(process: psutil.Process, findings: Findings) -> None:
    began = time.monotonic()
    while True:
        findings.memory.append((time.monotonic() - began, float(process.memory_info().rss)))
        await asyncio.sleep(5)


async def _swap(engine: Engine, every_s: float, findings: Findings) -> None:
    """Change the champion for the version before it, again and again."""

    def roll_back() -> str:
        with Session(engine) as session, session.begin():
            return registry.rollback(session).name

    while True:
        await asyncio.sleep(every_s)
        name = await asyncio.to_thread(roll_back)
        findings.swaps += 1
        say(f"  {len(findings.told)} requests so far; {name} is served from now on")


def _left_in_system(backend: Backend, patience_s: float = 30.0) -> dict[str, float]:
    """The figures that have to come back to zero."""
    names = ("requests_in_system", "queue_depth", "kv_cells_used")
    deadline = time.monotonic() + patience_s
    while any((left := {name: backend.metric(name) for name in names}).values()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


class Court:
    """Judges every greedy answer, whole or cut, by the version that says it gave it, while the traffic goes on."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._judges = {name: Judge(path) for name, path in files.items()}
        self._thread = ThreadPoolExecutor(1)
        self._heard: list[tuple[Told, Future[Verdict]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
        for judge in self._judges.values():
            judge.close()

    def hear(self, told: Told) -> None:
        reply = told.reply
        if told.plan.is_greedy and reply is not None and (reply.text or reply.finish_reason):
            self._heard.append((told, self._thread.submit(self._judge, told.plan, reply)))

    def tell(self, findings: Findings) -> None:
        """Write down what was found, when all is judged."""
        say(f"  {sum(not verdict.done() for _, verdict in self._heard)} greedy answers are still to be judged")
        for told, judged in self._heard:
            verdict = judged.result()
            assert told.reply is not None
            findings.judged += 1
            findings.judged_tokens += told.reply.completion_tokens
            if verdict.passed:
                findings.deviation = max(findings.deviation, verdict.deviation)
            else:
                findings.flagged.append(Flagged(told, verdict))

    def _judge(self, plan: Plan, reply: Reply) -> Verdict:
        judge = self._judges[reply.model]
        return judge.judge(plan.claim(judge, reply))


def _outcome(told: Told) -> str:
    reply = told.reply
    if reply is None:
        return "stuck"
    if reply.status == httpx.codes.TOO_MANY_REQUESTS:
        return "refused"
    if reply.status == httpx.codes.BAD_REQUEST and TOO_LONG in (reply.error or ""):
        return "too long"
    if reply.finish_reason is not None and reply.error is None:
        return "answered"
    if told.plan.fate != "end" and reply.error is None and reply.status in (0, httpx.codes.OK):
        return "cut" if told.plan.fate == "cut" else "vanished"
    return "failed"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / ".data/models/base/demo-model/model.gguf")
    parser.add_argument("--second", type=Path, help="another version (default: the demo model as Q4_0)")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--rate", type=float, default=3.0, help="requests a second, on average")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    settings = Settings(arguments.minutes * 60, arguments.rate, arguments.seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as name, embedded_database(Path(name)) as url:
        folder = Path(name)
        second = arguments.second or _second_version(folder)
        backend = Backend(folder, url, None, KV_DIR=str(folder / "kv"), **ENVIRONMENT)
        findings = soak(backend, url, (arguments.model, second), settings)
    print(summary(findings))
    return 1 if findings.faults() else 0


def summary(findings: Findings) -> str:
    """What was done, and what was found wrong with it."""
    growth = findings.growth()
    sizes = [size for _, size in findings.memory]
    lines = [
        f"{len(findings.told)} requests: {dict(findings.outcomes)}; {findings.swaps} swaps",
        f"judged {findings.judged} greedy answers of {findings.judged_tokens} tokens: {len(findings.flagged)} flagged, "
        f"largest deviation {findings.deviation:.3f} of {TOLERANCE} allowed",
        f"memory {min(sizes) / 2**20:.0f} to {max(sizes) / 2**20:.0f} MiB, slope "
        + ("not told by so short a run" if growth is None else f"{growth:+.2%} an hour"),
        *(f"FAULT: {fault}" for fault in findings.faults()),
    ]
    return "\n".join(lines)


def _second_version(folder: Path) -> Path:
    output = folder / "second.gguf"
    source = ROOT / "fine-tuning" / "demo_model"
    command = [sys.executable, "-m", "finetuning", "export-base", str(source), str(output), "--quantize", "Q4_0"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return output


if __name__ == "__main__":
    sys.exit(main())
