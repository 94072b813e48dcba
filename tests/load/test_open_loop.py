"""The load tests themselves, against a real server with the mock engine, and what they make of what they see."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.load.clients import Reply
from tests.load.open_loop import Phase, arrivals
from tests.load.outcomes import Attempt, Summary
from tests.servers import Backend

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("load")
    with Backend(folder, database_url, None, ENGINE="mock", MOCK_SLOTS="2", QUEUE_MAX_WAIT_S="1") as backend:
        yield backend


def run(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / program), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def reply(status: int = 200, **values: object) -> Reply:
    fields = {"sent_at": 11.0, "headers_at": 11.1, "ended_at": 13.0, "headers": {}, "finish_reason": "length", **values}
    return Reply(status=status, **fields)  # type: ignore[arg-type]


def test_times_count_from_when_a_request_was_due_not_from_when_it_could_be_sent() -> None:
    attempt = Attempt.of(reply(arrivals=(12.0, 12.5), completion_tokens=7), began=10.0, at=0.5)
    assert (attempt.outcome, attempt.first, attempt.ended, attempt.gaps) == ("answered", 1.5, 2.5, (0.5,))
    assert attempt.tokens == 7


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (reply(429, headers={"retry-after": "3"}), "refused"),
        (reply(429), "failed"),
        (reply(503), "failed"),
        (reply(finish_reason=None), "failed"),
        (reply(error="the connection broke"), "failed"),
    ],
)
def test_a_refusal_says_when_to_come_back_and_anything_else_is_a_failure(answer: Reply, outcome: str) -> None:
    assert Attempt.of(answer, 10.0, 1.0).outcome == outcome


def test_refusals_are_neither_successes_nor_failures_and_cost_is_for_what_was_answered() -> None:
    attempts = [
        *(Attempt(0.0, "answered", 2.0, 1.0, (0.1,), tokens=100) for _ in range(3)),
        Attempt(0.0, "refused", 0.01, retry_after=5.0),
        Attempt(0.0, "failed", 9.0, error="x"),
    ]
    summary = Summary.of(attempts, 10.0)
    assert (summary.offered, summary.answered, summary.refused, summary.failed) == (5, 3, 1, 1)
    assert (summary.served, summary.success) == (0.6, 0.75)
    assert summary.whole == (2.0, 2.0, 2.0)
    assert summary.refusal == 0.01
    thousand, million = summary.cost(3.6)
    assert thousand == pytest.approx(0.01 / 3 * 1000)
    assert million == pytest.approx(0.01 / 300 * 1e6)
    assert Summary.of([], 1.0).cost(1.0) == (float("inf"), float("inf"))


def test_arrivals_follow_the_rate_of_their_phase_and_repeat() -> None:
    phases = [Phase(2, 100), Phase(20, 100), Phase(0, 50), Phase(2, 100)]
    times = list(arrivals(phases, seed=1))
    counts = [sum(low <= at < high for at in times) for low, high in ((0, 100), (100, 200), (200, 250), (250, 350))]
    assert 150 < counts[0] < 250
    assert 1800 < counts[1] < 2200
    assert counts[2] == 0
    assert times == sorted(times) == list(arrivals(phases, seed=1)) != list(arrivals(phases, seed=2))


def test_a_spike_and_a_benchmark_are_measured_and_drawn(server: Backend, tmp_path: Path) -> None:
    place = ("--url", server.url, "--max-tokens", "4", "--node-cost-per-hour", "0.5")
    benchmark = run("benchmark.py", tmp_path, "light", *place, "--scale", "0.5")
    assert benchmark.returncode == 0, benchmark.stderr
    assert "100.0%" in benchmark.stdout
    assert "for 1,000 requests" in benchmark.stdout
    spike = run("test_advanced.py", tmp_path, "--type", "spike", *place, "--scale", "0.1", "--spike-rps", "30")
    assert spike.returncode == 0, spike.stdout + spike.stderr
    result = json.loads((tmp_path / "spike_results.json").read_text())
    outcomes = [attempt["outcome"] for attempt in result["attempts"]]
    assert len(outcomes) > 50
    assert set(outcomes) <= {"answered", "refused"}
    assert result["summary"]["offered"] == len(outcomes)
    assert all(sample["memory_bytes"] > 1e6 for sample in result["samples"])
    drawn = run("analyze_results.py", tmp_path, "benchmark_results.json", "spike_results.json", "--out", "drawn")
    assert drawn.returncode == 0, drawn.stderr
    for name in ("latency_comparison", "throughput_comparison", "success_rate", "timeline_spike"):
        assert (tmp_path / "drawn" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "drawn" / "report.html").read_text()
    assert "timeline_spike.png" in page
    assert "for a million tokens" in page
    assert server.url in page


def test_a_stress_test_stops_where_the_server_does_not_keep_up_and_says_so(server: Backend, tmp_path: Path) -> None:
    limits = ("--stress-step", "60", "--stress-max", "600", "--stress-duration", "2", "--max-tokens", "16")
    stress = run("test_advanced.py", tmp_path, "--type", "stress", "--url", server.url, *limits)
    assert stress.returncode == 0, stress.stdout + stress.stderr
    assert "broke: at" in stress.stdout
    result = json.loads((tmp_path / "stress_results.json").read_text())
    assert result["summary"]["refused"] > 0
    assert result["summary"]["failed"] == 0
    assert all(attempt["retry_after"] >= 1 for attempt in result["attempts"] if attempt["outcome"] == "refused")
    with server.client() as client:
        assert client.get("/ready").status_code == 200


def test_what_is_no_file_of_results_and_where_no_server_is_are_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    wrong = run("analyze_results.py", tmp_path, "other.json")
    assert wrong.returncode == 1
    assert "does not hold results" in wrong.stderr
    away = run("benchmark.py", tmp_path, "--url", "http://127.0.0.1:9", "--requests", "1")
    assert away.returncode == 1
    assert "ConnectError" in away.stderr


def test_a_server_is_checked_line_by_line(server: Backend, tmp_path: Path) -> None:
    done = run("check.py", tmp_path, "--url", server.url)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == 9
    assert all(line.startswith("ok ") for line in lines)
    away = run("check.py", tmp_path, "--url", "http://127.0.0.1:9")
    assert away.returncode == 1
    assert "no server at http://127.0.0.1:9" in away.stdout
    other = run("check.py", tmp_path, "--url", f"{server.url}/v1")
    assert other.returncode == 1
    assert "BAD chat" in other.stdout


def test_the_servers_memory_is_in_its_metrics(server: Backend) -> None:
    assert "process_resident_memory_bytes" in httpx.get(f"{server.url}/metrics").text
