"""Our requests in the words of another server.

Source: OpenAI API reference; llama.cpp tools/server/README.md; vLLM, "OpenAI-Compatible Server", extra parameters.
Servers differ where OpenAI's API says nothing, so the dialect is chosen by ``owned_by`` in the server's list of models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from assistant.engine.types import Sampling
from assistant.errors import InvalidRequestError
from assistant.services.generators.types import (
    ChatPrompt,
    Format,
    GrammarFormat,
    InfillPrompt,
    JsonFormat,
    TextPrompt,
    TextRequest,
    ToolUse,
)
from codellama_core.prompt import context_text

INFILL: Final = "../infill"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a kind of server understands beyond OpenAI's API.

    ``neutral`` are the values that switch a sampler off, sent always where the server has other defaults of its own.
    ``native``: outside chats it fills in by ``/infill`` only and takes a schema as ``json_schema``; it ignores
    ``suffix`` and ``response_format`` there without a word. ``goes_on`` is what lets it go on with a last message of
    the assistant's, None where nothing does.
    """

    repeat_penalty: str = "repeat_penalty"
    neutral: Mapping[str, float] = field(default_factory=dict)
    grammar: bool = False
    progress: bool = False
    native: bool = False
    goes_on: Mapping[str, Any] | None = None


OPENAI: Final = Dialect()
DIALECTS: Final[Mapping[str, Dialect]] = {
    "codellama-assistant": Dialect(grammar=True),
    "llamacpp": Dialect(
        neutral={"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
        grammar=True, progress=True, native=True, goes_on={},
    ),
    "vllm": Dialect(
        repeat_penalty="repetition_penalty",
        neutral={"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
        goes_on={"continue_final_message": True, "add_generation_prompt": False},
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One POST: the path, relative to the API's root, and the body."""

    path: str
    body: dict[str, Any]

    @property
    def is_native(self) -> bool:
        """Whether the answer has llama.cpp's own shape instead of OpenAI's."""
        return self.path == INFILL


def call_for(request: TextRequest, model: str, max_tokens: int, dialect: Dialect, *, native: bool) -> Call:
    """The call that a request becomes; ``native`` fills in by ``/infill`` instead of ``suffix``.

    Raises InvalidRequestError for what this kind of server has no words for.
    """
    max_tokens = max(max_tokens, 1)  # many take no 0; the stream ends before the first token then
    common = {"stream": True, **_sampling(request.sampling, dialect), **_stop(request)}
    if isinstance(request.prompt, InfillPrompt) and native:
        return Call(INFILL, {**common, **_infill(request, request.prompt, max_tokens, dialect)})
    common |= {"model": model, "stream_options": {"include_usage": True}}
    if dialect.progress:
        common["return_progress"] = True
    if isinstance(request.prompt, ChatPrompt):
        limit = {} if request.max_tokens is None else {"max_tokens": max_tokens}
        formats = _format(request.format, dialect)
        return Call("chat/completions", {**common, **limit, **formats, **_chat(request, request.prompt, dialect)})
    body = {**common, "max_tokens": max_tokens, **_text_format(request.format, dialect), **_text(request)}
    if request.logprobs is not None:
        body["logprobs"] = max(request.logprobs, 1)  # some servers take 0 for none
    return Call("completions", body)


def _sampling(sampling: Sampling, dialect: Dialect) -> dict[str, Any]:
    """OpenAI's own parameters always, extensions only when they do something or must be switched off."""
    wanted: dict[str, Any] = {"temperature": sampling.temperature, "top_p": sampling.top_p, **dialect.neutral}
    extensions = {
        "top_p": (sampling.top_p, 1.0),
        "top_k": (sampling.top_k, 0),
        "min_p": (sampling.min_p, 0.0),
        dialect.repeat_penalty: (sampling.repeat_penalty, 1.0),
        "presence_penalty": (sampling.presence_penalty, 0.0),
        "frequency_penalty": (sampling.frequency_penalty, 0.0),
    }
    wanted |= {name: value for name, (value, neutral) in extensions.items() if value != neutral}
    if sampling.seed is not None:
        wanted["seed"] = sampling.seed
    if sampling.logit_bias:
        wanted["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias}
    return wanted


def _stop(request: TextRequest) -> dict[str, Any]:
    return {"stop": list(request.stop)} if request.stop else {}


def _chat(request: TextRequest, prompt: ChatPrompt, dialect: Dialect) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [{"role": turn.role, "content": turn.content} for turn in prompt.messages]}
    if prompt.begun:
        if dialect.goes_on is None:
            raise InvalidRequestError("This upstream server cannot go on with an answer; ask for another one.")
        body["messages"].append({"role": "assistant", "content": prompt.begun})
        body |= dialect.goes_on
    if request.logprobs is not None:
        body["logprobs"] = True
    if request.logprobs:
        body["top_logprobs"] = request.logprobs
    return body


def _text(request: TextRequest) -> dict[str, Any]:
    prompt = request.prompt
    if isinstance(prompt, InfillPrompt):
        return {"prompt": context_text(prompt.extra) + prompt.prefix, "suffix": prompt.suffix}
    if isinstance(prompt, TextPrompt):
        return {"prompt": prompt.text}
    assert not isinstance(prompt, ChatPrompt)
    return {"prompt": list(prompt.tokens)}


def _infill(request: TextRequest, prompt: InfillPrompt, max_tokens: int, dialect: Dialect) -> dict[str, Any]:
    if request.logprobs is not None:
        raise InvalidRequestError("'logprobs' cannot be used to fill in on this upstream server.", param="logprobs")
    return {
        "input_prefix": prompt.prefix,
        "input_suffix": prompt.suffix,
        "input_extra": [{"filename": file.filename, "text": file.text} for file in prompt.extra],
        "n_predict": max_tokens,
        **_text_format(request.format, dialect),
    }


def _text_format(wanted: Format | None, dialect: Dialect) -> dict[str, Any]:
    """The format of an answer outside chats."""
    if isinstance(wanted, ToolUse):
        raise InvalidRequestError("'tools' can only be used in chats.", param="tools")
    if isinstance(wanted, JsonFormat) and dialect.native:
        return {"json_schema": wanted.schema or {"type": "object"}}
    return _format(wanted, dialect)


def _format(wanted: Format | None, dialect: Dialect) -> dict[str, Any]:
    match wanted:
        case None:
            return {}
        case JsonFormat(None):
            return {"response_format": {"type": "json_object"}}
        case JsonFormat(schema):
            described = {"name": "answer", "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": described}}
        case ToolUse():
            return _tools(wanted)
        case GrammarFormat(grammar):
            if not dialect.grammar:
                text = "'grammar' (GBNF) is not known to this upstream server; use response_format."
                raise InvalidRequestError(text, param="grammar")
            return {"grammar": grammar}


def _tools(use: ToolUse) -> dict[str, Any]:
    functions = [
        {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)} for tool in use.tools
    ]
    choice: Any = use.choice if use.named is None else {"type": "function", "function": {"name": use.named}}
    return {"tools": [{"type": "function", "function": each} for each in functions], "tool_choice": choice}
