"""Log probabilities in both shapes, whole and streamed."""

import math
from typing import Any

import openai
import pytest

from tests.servers import Backend

MESSAGES: Any = [{"role": "user", "content": "Write a function that adds two numbers"}]
PROMPT = "def add(a, b):\n    return"


@pytest.fixture
def official(backend: Backend) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{backend.url}/v1", api_key="none", max_retries=0)


def test_chat_logprobs_tell_each_token_and_the_likeliest(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(
        model="demo", messages=MESSAGES, max_tokens=12, temperature=0, logprobs=True, top_logprobs=3
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    text = b"".join(bytes(token.bytes or []) for token in logprobs.content).decode()
    assert text.strip() == (answer.choices[0].message.content or "").strip() != ""
    for token in logprobs.content:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        greedy = token.top_logprobs[0]
        assert (greedy.token, greedy.logprob) == (token.token, token.logprob)
        assert sum(math.exp(other.logprob) for other in token.top_logprobs) <= 1 + 1e-6


def test_streamed_logprobs_are_those_of_the_whole_answer(official: openai.OpenAI) -> None:
    asked: Any = {
        "model": "demo", "messages": MESSAGES, "max_tokens": 12, "temperature": 0, "logprobs": True, "top_logprobs": 0,
    }  # fmt: skip
    whole = official.chat.completions.create(**asked).choices[0].logprobs
    assert whole is not None
    streamed = [
        token
        for chunk in official.chat.completions.create(**asked, stream=True)
        for token in ((chunk.choices[0].logprobs and chunk.choices[0].logprobs.content) or ())
    ]
    assert [token.token for token in streamed] == [token.token for token in whole.content or ()]
    assert [token.logprob for token in streamed] == pytest.approx(
        [token.logprob for token in whole.content or ()], abs=0.05
    )


def test_completion_logprobs_are_lists_of_equal_length(official: openai.OpenAI) -> None:
    for stream in (False, True):
        asked: Any = {"model": "demo", "prompt": PROMPT, "max_tokens": 10, "temperature": 0, "logprobs": 2}
        answers = (
            official.completions.create(**asked, stream=True) if stream else [official.completions.create(**asked)]
        )
        text, tokens, offsets = "", list[str](), list[int]()
        for answer in answers:
            choice = answer.choices[0]
            text += choice.text
            if choice.logprobs is not None:
                found = choice.logprobs
                tokens += found.tokens or []
                offsets += found.text_offset or []
                lengths = {len(each or ()) for each in (found.tokens, found.token_logprobs, found.text_offset)}
                assert lengths == {len(found.top_logprobs or ())}
                assert all(0 < len(top) <= 2 for top in found.top_logprobs or ())
        assert len(tokens) == 10
        assert "".join(tokens) == text
        assert [text[offset : offset + len(token)] for token, offset in zip(tokens, offsets, strict=True)] == tokens


def test_tokens_that_a_stop_string_cuts_off_have_no_logprobs(official: openai.OpenAI) -> None:
    free = official.completions.create(model="demo", prompt=PROMPT, max_tokens=20, temperature=0).choices[0].text
    stop = free[8:10]
    cut = official.completions.create(model="demo", prompt=PROMPT, max_tokens=20, temperature=0, stop=stop, logprobs=0)
    assert cut.choices[0].text == free[: free.index(stop)]
    logprobs = cut.choices[0].logprobs
    assert logprobs is not None
    shown = "".join(logprobs.tokens or ())
    assert shown.startswith(cut.choices[0].text)
    assert (logprobs.text_offset or [0])[-1] < len(cut.choices[0].text)


def test_without_asking_there_are_none(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(model="demo", messages=MESSAGES, max_tokens=3)
    assert answer.choices[0].logprobs is None


@pytest.mark.parametrize(
    ("body", "param"),
    [({"top_logprobs": 3}, "top_logprobs"), ({"logprobs": True, "top_logprobs": 21}, "top_logprobs")],
)
def test_numbers_of_logprobs_that_make_no_sense_are_refused(
    official: openai.OpenAI, body: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        official.chat.completions.create(model="demo", messages=MESSAGES, extra_body=body)
    assert refused.value.param == param
