"""Training samples as token ids: plain source code, chats in the CodeLlama template, fill-in-the-middle."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .corpus import Corpus, Definition, SourceFile
from .exercises import Exercise
from .tokenizer import Tokenizer

SYSTEM_PROMPTS = (
    "You are a helpful coding assistant.",
    "You are a private code assistant. Answer with correct, readable code and short explanations.",
    "You are a helpful assistant that writes Python.",
    "Be brief.",
    "Answer in plain English, with code where it helps.",
    "You are an expert software engineer.",
)
MAX_INFILL_CHARS = 1_900
AT_END_SHARE = 0.15


@dataclass(frozen=True)
class Sample:
    """Token ids and, for each, whether it is a target of the loss; text_bytes counts the bytes of the targets."""

    ids: list[int]
    targets: list[bool]
    text_bytes: int


def code_sample(tokenizer: Tokenizer, file: SourceFile, rng: random.Random, size: int) -> Sample:
    """About size characters of a file, from the start of a top-level statement; EOS if the file ends there."""
    starts = [0] + [match.end() for match in re.finditer(r"\n\n(?=[^\s#)\]}])", file.text)]
    start = rng.choice([0] + [position for position in starts if position < max(1, len(file.text) - 200)])
    end = file.text.find("\n", start + size) + 1
    chunk = file.text[start:end] if end else file.text[start:]
    ids = [tokenizer.bos, *tokenizer.encode(chunk)] + ([] if end else [tokenizer.eos])
    return Sample(ids, [True] * len(ids), len(chunk.encode()))


def chat_sample(tokenizer: Tokenizer, turns: list[tuple[str, str]], system: str = "") -> Sample:
    """A conversation in the CodeLlama template; the loss is on the answers and their EOS."""
    ids: list[int] = []
    targets: list[bool] = []
    for question, answer in turns:
        prefix = f"<<SYS>>\n{system}\n<</SYS>>\n\n" if system and not ids else ""
        prompt = f"[INST] {prefix}{question} [/INST]"
        group = [tokenizer.bos, *tokenizer.encode(f"{prompt} {answer} "), tokenizer.eos]
        asked = 1 + len(tokenizer.encode(prompt))
        ids += group
        targets += [False] * asked + [True] * (len(group) - asked)
    return Sample(ids, targets, sum(len(answer.encode()) + 2 for _, answer in turns))


def infill_sample(tokenizer: Tokenizer, file: SourceFile, rng: random.Random, middle_only: bool = False) -> Sample:
    """A piece of a file with a hole, half prefix-suffix-middle and half suffix-prefix-middle.

    Some have nothing after the hole, as when one types at the end of a file.
    """
    before, middle, after = _with_hole(_window(file.text, rng), rng)
    if rng.random() < AT_END_SHARE:
        after = rng.choice(("", "\n"))
    suffix = tokenizer.encode_bare(after)
    if rng.random() < 0.5:
        head = [tokenizer.bos, tokenizer.pre, *tokenizer.encode(before), tokenizer.suf, *suffix, tokenizer.mid]
        tail = tokenizer.encode_bare(middle)
    else:
        head = [tokenizer.bos, tokenizer.pre, tokenizer.suf, *suffix, tokenizer.mid]
        tail = tokenizer.encode_bare(before + middle)
        shared = len(tokenizer.encode_bare(before))
        if middle_only:
            head, tail = head + tail[:shared], tail[shared:]
    ids = [*head, *tail, tokenizer.eot]
    targets = [not middle_only] * len(head) + [True] * (len(tail) + 1)
    return Sample(ids, targets, len(middle.encode()))


def _window(text: str, rng: random.Random) -> str:
    start = rng.randrange(max(1, len(text) - 300))
    start = text.rfind("\n", 0, start) + 1
    return text[start : start + rng.randint(200, MAX_INFILL_CHARS)]


def _with_hole(text: str, rng: random.Random) -> tuple[str, str, str]:
    kind = rng.random()
    if kind < 0.3:
        first, last = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        last = min(last, first + 400)
    elif kind < 0.6:
        first = rng.randrange(len(text))
        last = _line_end(text, first)
    else:
        first, last = _line_block(text, rng)
    return text[:first], text[first:last], text[last:]


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _line_block(text: str, rng: random.Random) -> tuple[int, int]:
    """From the indentation's end of a random line to the end of it or of one of the next few lines."""
    lines = list(re.finditer(r"^[ \t]*(?=\S)", text, re.MULTILINE))
    if not lines:
        return 0, len(text)
    chosen = rng.randrange(len(lines))
    last = lines[min(len(lines) - 1, chosen + rng.choice((0, 0, 0, 1, 2, 4)))]
    return lines[chosen].end(), _line_end(text, last.start())


def definition_turn(definition: Definition, rng: random.Random) -> tuple[str, str]:
    """A question and its answer made from a documented definition."""
    kind, summary = definition.kind, definition.summary.rstrip(".")
    task = summary[0].lower() + summary[1:] if summary[1:2].islower() else summary
    fenced = f"```python\n{definition.source}\n```"
    roll = rng.random()
    if roll < 0.1:
        return _choose(rng, "What does this {} do?", "Explain this {}.", "Explain:").format(
            kind
        ) + f"\n```python\n{definition.undocumented}\n```", f"{summary}."
    if roll < 0.2:
        return _choose(rng, "Add a docstring to this {}:", "Document this {}:").format(
            kind
        ) + f"\n```python\n{definition.undocumented}\n```", fenced
    question = _choose(
        rng,
        f"Write a Python {kind} `{definition.signature}`: {summary}.",
        f"Write a {kind} `{definition.signature}`. {summary}.",
        f"Write a Python {kind} to {task}.",
        f"Write a {kind} called {definition.name}: {task}",
        f"{summary}.",
        f"Implement `{definition.signature}`.",
    )
    opening = _choose(rng, "", "", f"Here is the {kind}:\n\n", f"Here is a {kind} `{definition.name}`:\n\n")
    return question, opening + fenced


def exercise_turn(exercise: Exercise, rng: random.Random) -> tuple[str, str]:
    """One of the classic first prompts, in one of its phrasings, with its hand-written answer."""
    question = rng.choice(exercise.phrasings())
    roll = rng.random()
    if roll < 0.2:
        question = question.lower()
    elif roll < 0.4:
        question = question.rstrip(".?!")
    elif roll < 0.5:
        question = question[0].upper() + question[1:]
    return question, exercise.answer


def _choose(rng: random.Random, *options: str) -> str:
    return rng.choice(options)


def vocabulary_texts(corpus: Corpus, exercises: list[Exercise]) -> Iterator[str]:
    """What the tokenizer is trained on: the library without its tests, the summaries, and the exercises, repeated."""
    yield from (file.text for file in corpus.train if not file.is_test)
    rng = random.Random(0)
    for definition in corpus.train_definitions:
        question, _ = definition_turn(definition, rng)
        yield f"[INST] {question} [/INST]"
    for exercise in exercises:
        yield from (f"[INST] {phrasing} [/INST]" for phrasing in exercise.phrasings())
        yield from [exercise.answer] * 20
