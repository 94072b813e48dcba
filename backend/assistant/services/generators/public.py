"""How much of a prompt is the system message's, and so may be shared by everybody who uses the same one."""

from collections.abc import Callable, Sequence

from assistant.services.generators.types import ChatPrompt, Prompt
from codellama_core.prompt import ChatMessage


def public_tokens(prompt: Prompt, tokens: Sequence[int], tokenize: Callable[[Prompt], Sequence[int]]) -> int:
    """The tokens that a prompt with the same system message, and something else after it, begins with."""
    if not isinstance(prompt, ChatPrompt) or len(prompt.messages) < 2 or prompt.messages[0].role != "system":
        return 0
    system, question = prompt.messages[0], prompt.messages[1].content.strip()
    other = ChatPrompt((system, ChatMessage("user", "," if question.startswith(".") else ".")))
    same = 0
    for mine, theirs in zip(tokens, tokenize(other), strict=False):
        if mine != theirs:
            break
        same += 1
    return same
