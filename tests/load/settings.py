"""What the load tests of a running server have in common: their arguments, prompts, and the file of results."""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.load.clients import Endpoint
from tests.load.open_loop import Phase, Sample
from tests.load.outcomes import Attempt, Summary, cost_sentence

PROMPT = "# request {number}\nimport os\nimport sys\n\n\ndef main("


def add_arguments(parser: argparse.ArgumentParser, *, max_tokens: int) -> None:
    """Where the server is, what it is asked, and where the results go."""
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--api-key", default="")
    parser.add_argument("--prompt-file", type=Path, help="prompts, parted by lines of three dashes, asked in turn")
    parser.add_argument("--max-tokens", type=int, default=max_tokens)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the requests, or of the time")
    parser.add_argument(
        "--node-cost-per-hour", type=float, help="of all nodes together, in any currency: adds the cost"
    )
    parser.add_argument("--out", type=Path, help="the file of results, for analyze_results.py")


def endpoint_of(arguments: argparse.Namespace) -> Endpoint:
    return Endpoint("server", arguments.url.rstrip("/"), keys=(arguments.api_key,) if arguments.api_key else ())


def bodies(arguments: argparse.Namespace) -> Callable[[int], dict[str, Any]]:
    """The request of a number. Every prompt begins with its number, so that no cache has read it."""
    prompts = _prompts(arguments.prompt_file)

    def body(number: int) -> dict[str, Any]:
        prompt = prompts[number % len(prompts)].replace("{number}", str(number))
        return {"prompt": prompt, "max_tokens": arguments.max_tokens, "temperature": 0.8}

    return body


def _prompts(file: Path | None) -> list[str]:
    if file is None:
        return [PROMPT]
    texts = [text.strip("\n") for text in file.read_text(encoding="utf-8").split("\n---\n")]
    return [f"# request {{number}}\n{text}" for text in texts if text.strip()] or [PROMPT]


def save(
    path: Path,
    name: str,
    arguments: argparse.Namespace,
    attempts: Sequence[Attempt],
    summary: Summary,
    phases: Sequence[Phase] = (),
    samples: Sequence[Sample] = (),
    **more: Any,
) -> None:
    """Write what was measured, with the machine that the client ran on."""
    told = {key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()}
    document = {
        "name": name,
        "measured": time.strftime("%Y-%m-%d %H:%M"),
        "client": f"{platform.machine()}, {os.cpu_count()} CPUs, {_processor()}",
        "arguments": {key: value for key, value in told.items() if key != "api_key"},
        "summary": summary.to_json(),
        "phases": [asdict(phase) for phase in phases],
        "samples": [asdict(sample) for sample in samples],
        "attempts": [asdict(attempt) for attempt in attempts],
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    print(f"written: {path}")


def print_cost(summary: Summary, arguments: argparse.Namespace) -> None:
    if arguments.node_cost_per_hour is not None:
        print(cost_sentence(summary, arguments.node_cost_per_hour))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
