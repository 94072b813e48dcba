from collections.abc import Sequence

import pytest

from assistant.services.generators.public import public_tokens
from assistant.services.generators.types import ChatPrompt, Prompt, TextPrompt
from codellama_core.prompt import ChatMessage, SpecialTokens, chat_tokens
from tests.fakes import FakeVocabulary

SYSTEM = ChatMessage("system", "Answer in one line.")


def tokenize(prompt: Prompt) -> list[int]:
    assert isinstance(prompt, ChatPrompt)
    return chat_tokens(prompt.messages, FakeVocabulary().tokenize, SpecialTokens(1, 2))


def written(tokens: Sequence[int]) -> str:
    vocabulary = FakeVocabulary()
    return b"".join(vocabulary.token_to_bytes(token) for token in tokens).decode()


@pytest.mark.parametrize("question", ["What is this?", ".", ",", "..."])
def test_the_system_message_is_public_and_nothing_that_the_user_wrote(question: str) -> None:
    prompt = ChatPrompt((SYSTEM, ChatMessage("user", question), ChatMessage("assistant", "x"), SYSTEM))
    tokens = tokenize(prompt)
    public = written(tokens[: public_tokens(prompt, tokens, tokenize)])
    assert SYSTEM.content in public
    assert written(tokens).startswith(public + question)


@pytest.mark.parametrize("prompt", [ChatPrompt((ChatMessage("user", "x"),)), ChatPrompt((SYSTEM,)), TextPrompt("x")])
def test_without_a_system_message_before_something_else_nothing_is_public(prompt: Prompt) -> None:
    assert public_tokens(prompt, [1, 2, 3], tokenize) == 0
