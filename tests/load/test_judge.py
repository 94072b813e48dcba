"""The judge passes what the model writes, however it was cut, and flags what it does not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from codellama_core.prompt import ChatMessage
from tests.load.clients import Reply
from tests.load.judge import TOLERANCE, Claim, Judge
from tests.load.traffic import Plan

TEXTS = (
    "def add(a, b):\n",
    "import os\n\n\ndef main():\n    for name in ",
    "class Stack:\n    def push(self, item):\n",
)
LENGTH = 60


@dataclass(frozen=True)
class Written:
    """What the model wrote greedily, alone."""

    claim: Claim
    tokens: list[int]


@pytest.fixture(scope="module")
def judge(demo_gguf: Path) -> Iterator[Judge]:
    judge = Judge(demo_gguf)
    yield judge
    judge.close()


@pytest.fixture(scope="module")
def answers(judge: Judge) -> list[Written]:
    return [write(judge, judge.text_prompt(text)) for text in TEXTS]


def write(judge: Judge, prompt: tuple[int, ...], most: int = LENGTH) -> Written:
    claim = Claim(prompt, "", 0)
    tokens: list[int] = []
    while len(tokens) < most:
        token = int(judge.logits_after(claim, tokens, ())[0].argmax())
        if judge.is_end(token):
            break
        tokens.append(token)
    return Written(spelled(judge, replace(claim, ended=len(tokens) < most), tokens), tokens)


def spelled(judge: Judge, claim: Claim, tokens: Sequence[int]) -> Claim:
    """The claim with these tokens for its answer."""
    text = b"".join(judge.piece(token) for token in tokens).decode(errors="replace")
    return replace(claim, text=text, tokens=len(tokens))


def test_what_the_model_wrote_alone_passes(judge: Judge, answers: list[Written]) -> None:
    for written in answers:
        verdict = judge.judge(written.claim)
        assert verdict.passed, verdict.reason
        assert verdict.deviation <= TOLERANCE


def test_an_answer_that_its_caller_cut_passes_at_every_token(judge: Judge, answers: list[Written]) -> None:
    for length in range(1, LENGTH, 7):
        claim = replace(spelled(judge, answers[0].claim, answers[0].tokens[:length]), tokens=None, ended=False)
        assert judge.judge(claim).passed


def test_chats_pass_without_the_white_space_around_them(judge: Judge) -> None:
    written = write(judge, judge.chat_prompt([ChatMessage("user", "Write a function that adds two numbers")]), 200)
    assert written.claim.ended
    stripped = replace(written.claim, text=written.claim.text.strip(), stripped=True)
    assert stripped.text != written.claim.text
    assert judge.judge(stripped).passed
    assert not judge.judge(replace(stripped, stripped=False)).passed


def test_a_token_of_another_answer_is_flagged(judge: Judge, answers: list[Written]) -> None:
    tried = 0
    for written, other in zip(answers, [*answers[1:], answers[0]], strict=True):
        for place in range(0, LENGTH, 4):
            if written.tokens[place] == other.tokens[place]:
                continue
            tokens = [*written.tokens[:place], other.tokens[place], *written.tokens[place + 1 :]]
            tried += 1
            assert not judge.judge(spelled(judge, written.claim, tokens)).passed, (written.claim.text, place)
    assert tried > 20


def test_a_lost_token_is_flagged(judge: Judge, answers: list[Written]) -> None:
    for written in answers:
        tokens = [*written.tokens[:20], *written.tokens[21:]]
        assert not judge.judge(spelled(judge, written.claim, tokens)).passed


def test_a_doubled_token_is_flagged(judge: Judge, answers: list[Written]) -> None:
    for written in answers:
        tokens = [*written.tokens[:20], *written.tokens[19:]]
        assert not judge.judge(spelled(judge, written.claim, tokens)).passed


def test_an_answer_to_another_prompt_is_flagged(judge: Judge, answers: list[Written]) -> None:
    for written, other in zip(answers, [*answers[1:], answers[0]], strict=True):
        assert not judge.judge(replace(written.claim, prompt=other.claim.prompt)).passed


def test_a_wrong_count_or_a_wrong_end_is_flagged(judge: Judge, answers: list[Written]) -> None:
    claim = answers[0].claim
    assert not judge.judge(replace(claim, tokens=LENGTH + 1)).passed
    assert not judge.judge(replace(claim, tokens=LENGTH - 1)).passed
    assert not judge.judge(replace(claim, ended=True)).passed


def test_a_caller_who_was_cut_between_the_end_and_the_count_has_no_count(judge: Judge, answers: list[Written]) -> None:
    text = answers[0].claim.text
    plan = Plan(0.0, {"prompt": TEXTS[0], "temperature": 0}, "cut", 3)
    reply = Reply(0.0, 0.0, 1.0, 200, {}, text=text, finish_reason="length")
    assert plan.claim(judge, reply).tokens is None
    assert plan.claim(judge, replace(reply, completion_tokens=LENGTH)).tokens == LENGTH
    assert plan.claim(judge, replace(reply, text="")).tokens == 0
    assert judge.judge(plan.claim(judge, reply)).passed
