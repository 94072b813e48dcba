"""From messages and file fragments to token ids, the same for serving and for training.

A template is rendered with placeholders for the control tokens, and the text between them is tokenized as plain text.
So what a user types can never become a control token, whatever it says.

Source of the formats: Meta's codellama repository (``llama/generation.py``, ``llama/tokenizer.py``).
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

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
RAW_END_OF_INFILL: Final = "<EOT>"
_SPACED: Final = re.compile(r"(?:<s>)?[ ▁]?<PRE>[ ▁](.*?)[ ▁]▁?<SUF>(.*?)[ ▁]▁?<MID>[ ▁]?", re.DOTALL)
_TIGHT: Final = re.compile(r"(?:<s>)?[ ▁]?<PRE>(.*?)▁?<SUF>(.*?)▁?<MID>[ ▁]?", re.DOTALL)
_FENCES: Final = re.compile("`{3,}")
_LINE_COMMENTS: Final = {
    "#": "bash cfg cmake conf ini jl mk nix pl ps1 py pyi r rb sh tf toml yaml yml",
    "--": "ada elm hs lua sql",
}

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


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A file that belongs to a prompt. Without a name it is just text."""

    text: str
    filename: str = ""


def with_files(content: str, files: Sequence[ContextFile]) -> str:
    """A question as the model reads it, in serving and in training: its files, then what is asked about them.

    So another question about the same files goes on from what has been read.
    """
    return "\n\n".join([*(fenced(file) for file in files), content])


def with_system_prompt(system_prompt: str | None, turns: Iterable[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The turns behind a conversation's own system prompt, if it has one, in place of one that came with them."""
    if system_prompt is None:
        return tuple(turns)
    return (ChatMessage("system", system_prompt), *(turn for turn in turns if turn.role != "system"))


def fenced(file: ContextFile) -> str:
    """A file under its name, in a fence that is longer than any in it, so that its end is where it seems to be."""
    name = " ".join(file.filename.split())
    fence = "`" * max([3, *(len(run) + 1 for run in _FENCES.findall(file.text))])
    kind = PurePath(name).suffix.removeprefix(".").lower()
    return f"File {name}:\n{fence}{kind}\n{file.text.rstrip()}\n{fence}"


def template_sha256(template: str) -> str:
    """Identity of a template: serving and training must agree on it."""
    return hashlib.sha256(template.encode()).hexdigest()


def chat_tokens(
    messages: Sequence[ChatMessage],
    tokenize: Tokenize,
    special: SpecialTokens,
    template: str = CODELLAMA_TEMPLATE,
    begun: str = "",
) -> list[int]:
    """Token ids of a conversation, beginning with BOS; ends where the assistant's answer begins or has ended.

    With ``begun``, the beginning of an answer, they end where that goes on. Raises TemplateError when the template
    refuses the messages.
    """
    rendered = _render_begun(template, messages, begun) if begun.strip() else _render(template, messages)
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


def _render_begun(template: str, messages: Sequence[ChatMessage], begun: str) -> str:
    """What the template makes of an answer, without what it puts behind it."""
    rendered = _render(template, [*messages, ChatMessage("assistant", begun)], prompt=False)
    text = _plain(begun)
    if text not in rendered:
        raise TemplateError("it changes what an answer begins with, so no answer can be continued")
    return rendered[: rendered.rindex(text) + len(text)]


def _plain(content: str) -> str:
    return content.replace(_BOS, "").replace(_EOS, "").strip()


def _render(template: str, messages: Sequence[ChatMessage], *, prompt: bool = True) -> str:
    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    turns: list[dict[str, Any]] = [{"role": m.role, "content": _plain(m.content)} for m in messages]
    return environment.from_string(template).render(
        messages=turns, bos_token=_BOS, eos_token=_EOS, add_generation_prompt=prompt
    )


def without_leading_space(tokenize: Tokenize, text: str) -> list[int]:
    """Token ids of ``text`` as it would stand in the middle of a line: no implicit space before it."""
    return list(tokenize(_SENTINEL + text))[len(tokenize(_SENTINEL)) :]


def infill_tokens(
    prefix: str, suffix: str, tokenize: Tokenize, special: SpecialTokens, extra: Sequence[ContextFile] = ()
) -> list[int]:
    """Prefix-suffix-middle prompt: ``[BOS, PRE] extra prefix [SUF] suffix [MID]``.

    CodeLlama has no separators of files, so ``extra`` stands before the prefix as code does, and being first it is the
    same from one keystroke to the next. Raises ValueError when the vocabulary has no fill-in-the-middle tokens.
    """
    if special.prefix is None or special.suffix is None or special.middle is None:
        raise ValueError("this model has no fill-in-the-middle tokens")
    before = context_text(extra) + prefix
    return [
        special.bos,
        special.prefix,
        *(tokenize(before) if before else ()),
        special.suffix,
        *(without_leading_space(tokenize, suffix) if suffix else ()),
        special.middle,
    ]


def context_text(extra: Sequence[ContextFile]) -> str:
    """Files one after another, each under a comment with its name and followed by an empty line."""
    return "".join(_heading(file.filename) + file.text.rstrip("\n") + "\n\n" for file in extra)


def _heading(filename: str) -> str:
    name = " ".join(filename.split())
    if not name:
        return ""
    kind = PurePath(name).suffix.removeprefix(".").lower()
    leader = next((mark for mark, kinds in _LINE_COMMENTS.items() if kind in kinds.split()), "//")
    return f"{leader} {name}\n"


def raw_infill(text: str) -> tuple[str, str] | None:
    """Prefix and suffix of a prompt that spells the control tokens out: ``<PRE> {prefix} <SUF>{suffix} <MID>``.

    The spaces are the template's where all three are there, and the text's own otherwise; a token's ``▁`` may be
    written too. None where the text is not exactly that: it only mentions the tokens, or has one of them twice.
    """
    if any(text.count(f"<{name}>") != 1 for name in ("PRE", "SUF", "MID")):
        return None
    found = _SPACED.fullmatch(text) or _TIGHT.fullmatch(text)
    return (found[1], found[2]) if found else None
