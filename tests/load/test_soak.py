"""A short soak. That the judge sees tokens that were lost, doubled or another request's is in ``test_judge.py``."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.load.judge import Judge
from tests.load.soak import ENVIRONMENT, Findings, Settings, Told, soak, summary
from tests.servers import Backend

SECONDS = 20.0


@pytest.fixture(scope="module")
def versions(demo_gguf: Path, endless_gguf: Path) -> tuple[Path, Path]:
    return demo_gguf, endless_gguf


@pytest.fixture(scope="module")
def findings(
    versions: tuple[Path, Path], new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Findings:
    folder, url = tmp_path_factory.mktemp("soak"), new_database()
    backend = Backend(folder, url, None, KV_DIR=str(folder / "kv"), **ENVIRONMENT)
    return soak(backend, url, versions, Settings(SECONDS, rate=3.0, swap_s=4.0))


@pytest.fixture(scope="module")
def judge(demo_gguf: Path) -> Iterator[Judge]:
    judge = Judge(demo_gguf)
    yield judge
    judge.close()


def whole_answers(findings: Findings, name: str) -> list[Told]:
    """Greedy answers of a version, read to their end, with enough text to tamper with."""
    return [
        told
        for told in findings.told
        if told.plan.is_greedy and told.reply and told.reply.model == name and told.reply.completion_tokens > 20
    ]


def test_random_traffic_leaves_no_fault(findings: Findings) -> None:
    assert findings.faults() == [], summary(findings)


def test_the_traffic_had_every_kind_of_request_and_end(findings: Findings) -> None:
    bodies = [told.plan.body for told in findings.told]
    assert {"messages", "suffix"} <= {key for body in bodies for key in body}
    assert {told.plan.is_greedy for told in findings.told} == {True, False}
    assert {"answered", "cut", "vanished"} <= set(findings.outcomes)
    assert findings.swaps >= 2
    assert len({told.reply.model for told in findings.told if told.reply and told.reply.model}) == 2
    assert findings.judged >= 10
    assert findings.judged_tokens >= 300


def test_an_answer_given_to_another_request_is_flagged(findings: Findings, judge: Judge) -> None:
    """What ``test_random_traffic_leaves_no_fault`` would have said had two streams been crossed."""
    answers = whole_answers(findings, "demo")
    assert len(answers) > 2
    for told, other in zip(answers, [*answers[1:], answers[0]], strict=True):
        assert told.reply is not None
        assert other.reply is not None
        crossed = replace(told.plan.claim(judge, told.reply), text=other.reply.text)
        assert not judge.judge(crossed).passed
