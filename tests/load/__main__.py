"""Compare our server with another OpenAI-compatible one: python -m tests.load --model FILE --llama-server PATH

Every figure that serving was promised to reach, measured in turn with nothing else on the machine, as ratios with their
spread. The exit code is 1 if one of them is missed.
"""

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.load.bench import Bench, Options, Pace, Scenario, say
from tests.load.clients import RequestFailedError
from tests.load.prompts import Prompts
from tests.load.report import Result, table, to_json
from tests.load.scenarios import (
    copying_edit,
    http_cost,
    long_prompt,
    many_users,
    one_user,
    overload,
    second_turn,
    shared_prompt,
)
from tests.load.servers import Elsewhere, LlamaServer, Machine, Ours, Server, ServerFailedError

SCENARIOS: Sequence[Scenario] = (
    one_user.SCENARIO, many_users.SCENARIO, long_prompt.SCENARIO, second_turn.SCENARIO, shared_prompt.SCENARIO,
    copying_edit.SCENARIO, http_cost.SCENARIO, overload.SCENARIO,
)  # fmt: skip


def main() -> int:
    arguments = _parser().parse_args()
    machine = Machine(arguments.model.resolve(), arguments.threads, arguments.kv_type)
    chosen = [each for each in SCENARIOS if not arguments.scenario or each.name in arguments.scenario]
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        ours = Ours(machine, Path(folder), arguments.sequences)
        peer = _peer(arguments, machine, Path(folder))
        bench = Bench(machine, _options(arguments), Prompts(machine.model), Pace.guess(machine), ours, peer)
        if arguments.list:
            _list(bench, chosen)
            return 0
        with ours:
            results = _run(bench, chosen, arguments.json)
    missed = [f"{name}: {figure}" for name, result in results.items() for figure in result.missed]
    say(f"missed: {'; '.join(missed)}" if missed else "nothing was missed")
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="GGUF file that all servers load")
    parser.add_argument("--llama-server", type=Path, help="llama.cpp's server, started for each scenario")
    parser.add_argument("--llama-server-args", default="", metavar="ARGS", help="more of its arguments, as one string")
    parser.add_argument("--peer-url", help="instead: a server that runs already, without /v1")
    parser.add_argument("--peer-model", help="the model's name there, where it wants one")
    parser.add_argument("--peer-key", help="its API key, where it wants one")
    parser.add_argument("--llama-bench", type=Path, help="a third peer for one user: bare llama.cpp")
    parser.add_argument("--scenario", action="append", choices=[each.name for each in SCENARIOS], metavar="NAME")
    parser.add_argument("--list", action="store_true", help="scenarios and the minutes they will take, then end")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kv-type", choices=("q8_0", "f16"), default="q8_0")
    parser.add_argument("--cells", type=int, default=8192, help="KV cells; more where a scenario needs them")
    parser.add_argument("--sequences", type=int, default=16, help="our N_SEQ_MAX")
    parser.add_argument("--repeat", type=int, help="rounds of every scenario, instead of its own number")
    parser.add_argument("--quick", action="store_true", help="one round of smaller prompts: does everything run?")
    parser.add_argument("--long-prompt", type=int, default=808, help="tokens of the prompt that interrupts (800-3,000)")
    parser.add_argument("--overload-s", type=float, default=300.0)
    parser.add_argument("--json", type=Path, help="write rows and raw numbers to this file")
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        cells=arguments.cells, sequences=arguments.sequences, quick=arguments.quick, rounds=arguments.repeat,
        long_prompt=arguments.long_prompt, overload_s=arguments.overload_s, llama_bench=arguments.llama_bench,
    )  # fmt: skip


def _peer(arguments: argparse.Namespace, machine: Machine, folder: Path) -> Server | None:
    if arguments.llama_server:
        return LlamaServer(machine, arguments.llama_server, folder, shlex.split(arguments.llama_server_args))
    if arguments.peer_url:
        return Elsewhere(arguments.peer_url.rstrip("/"), arguments.peer_model, arguments.peer_key)
    return None


def _list(bench: Bench, scenarios: Sequence[Scenario]) -> None:
    for each in scenarios:
        print(f"{each.name:15} {each.seconds(bench) / 60:5.1f} min  {each.title}")
    print(f"{'together':15} {sum(each.seconds(bench) for each in scenarios) / 60:5.1f} min")


def _run(bench: Bench, scenarios: Sequence[Scenario], output: Path | None) -> dict[str, Result]:
    results: dict[str, Result] = {}
    for each in scenarios:
        say(f"{each.title} (about {each.seconds(bench) / 60:.1f} min)")
        began = time.monotonic()
        try:
            result = each.run(bench)
        except (RequestFailedError, ServerFailedError) as error:
            result = Result((), (f"did not come to its end: {error}",), failed=True)
        results[each.name] = result
        say(f"  took {(time.monotonic() - began) / 60:.1f} min")
        print(f"\n{each.title}\n{table(result.rows)}")
        print("\n".join(f"  {note}" for note in result.notes), flush=True)
        if output:
            output.write_text(json.dumps(_document(bench, results), indent=1))
    return results


def _document(bench: Bench, results: dict[str, Result]) -> dict[str, Any]:
    machine = bench.machine
    return {
        "model": machine.model.name, "threads": machine.threads, "kv_type": machine.kv_type,
        "peer": bench.peer.name if bench.peer else None, "taken_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "scenarios": {name: to_json(result) for name, result in results.items()},
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
