"""From messages and file fragments to token ids, the same for serving and for training.

A template is rendered with placeholders for the control tokens, and the text between them is tokenized as plain text.
So what a user types can never become a control token, whatever it says.

Source of the formats: Meta's codellama repository (``llama/generation.py``, ``llama/tokenizer.py``).
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

CODELLAMA_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}{% set messages = messages[1:] %}"
    "{% else %}{% set system = '' %}{% endif %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + (system if loop.first else '') + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
FIM_PIECES = ("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>")

_BOS, _EOS = "\ue000", "\ue001"
_SENTINEL = "☺"

Tokenize = Callable[[str], Sequence[int]]
"""Plain text to token ids: no BOS, no control tokens, with the vocabulary's leading-space rule."""


class TemplateError(ValueError):
    """The chat template refuses these messages; the text says why."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn. ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids of a vocabulary's control tokens; the fill-in-the-middle ids are None where it has none."""

    bos: int
    eos: int
    prefix: int | None = None
    suffix: int | None = None
    middle: int | None = None
    end_of_infill: int | None = None


def template_sha256(template: str) -> str:
    """Identity of a template: serving and training must agree on it."""
    return hashlib.sha256(template.encode()).hexdigest()


def chat_tokens(
    messages: Sequence[ChatMessage], tokenize: Tokenize, special: SpecialTokens, template: str = CODELLAMA_TEMPLATE
) -> list[int]:
    """Token ids of a conversation, beginning with BOS; ends where the assistant's answer begins or has ended.

    Raises TemplateError when the template refuses the messages.
    """
    rendered = _render(template, messages)
    ids: list[int] = [] if rendered.startswith(_BOS) else [special.bos]
    text = ""
    for character in rendered:
        if character not in (_BOS, _EOS):
            text += character
            continue
        ids += tokenize(text) if text else []
        ids.append(special.bos if character == _BOS else special.eos)
        text = ""
    return ids + (list(tokenize(text)) if text else [])


def _render(template: str, messages: Sequence[ChatMessage]) -> str:
    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    turns: list[dict[str, Any]] = [
        {"role": m.role, "content": m.content.replace(_BOS, "").replace(_EOS, "").strip()} for m in messages
    ]
    return environment.from_string(template).render(
        messages=turns, bos_token=_BOS, eos_token=_EOS, add_generation_prompt=True
    )


def without_leading_space(tokenize: Tokenize, text: str) -> list[int]:
    """Token ids of ``text`` as it would stand in the middle of a line: no implicit space before it."""
    return list(tokenize(_SENTINEL + text))[len(tokenize(_SENTINEL)) :]


def infill_tokens(prefix: str, suffix: str, tokenize: Tokenize, special: SpecialTokens) -> list[int]:
    """Prefix-suffix-middle prompt: ``[BOS, PRE] prefix [SUF] suffix [MID]``.

    Raises ValueError when the vocabulary has no fill-in-the-middle tokens.
    """
    if special.prefix is None or special.suffix is None or special.middle is None:
        raise ValueError("this model has no fill-in-the-middle tokens")
    return [
        special.bos,
        special.prefix,
        *(tokenize(prefix) if prefix else ()),
        special.suffix,
        *(without_leading_space(tokenize, suffix) if suffix else ()),
        special.middle,
    ]
