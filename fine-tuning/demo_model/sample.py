"""Look at the model: answers to the exercises, completions and infillings.

Run in the folder fine-tuning: `python -m demo_model.sample`. Prints samples and how many answers parse as Python.
"""

import argparse
import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from .exercises import Exercise, load_exercises
from .tokenizer import Tokenizer

HERE = Path(__file__).parent
QUESTIONS = (
    "hello",
    "Write a function that reverses a string.",
    "fibonacci",
    "Write a Python function `count_lines(path)` that counts the lines of a file.",
    "Write a class that represents a bank account.",
    "What does this function do?\n```python\ndef area(w, h):\n    return w * h\n```",
)
COMPLETIONS = (
    "def fibonacci(n):\n",
    "import os\n\ndef ",
    "class Stack:\n",
    "def is_prime(n: int) -> bool:\n",
    "    def __init__(self, ",
)
HOLES = (
    ("def add(a, b):\n    return ", "\n"),
    ("def read(path):\n    with open(path) as file:\n        ", "\n    return text\n"),
    ("def factorial(n):\n    if n == 0:\n        ", "\n    return n * factorial(n - 1)\n"),
    ("import argparse\n\nparser = argparse.ArgumentParser()\nparser.add_argument(", ")\nargs = parser.parse_args()\n"),
    ("class Point:\n    def __init__(self, x, y):\n        self.x = x\n        ", ""),
)


@dataclass(frozen=True)
class Result:
    """Generated text, and whether it ended by itself."""

    text: str
    ended: bool


class Writer:
    """Generates text with the exported model."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer(folder / "tokenizer.model")
        self._model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def answers(self, questions: Sequence[str], temperature: float = 0.0) -> list[Result]:
        """The answers to questions."""
        prompts = [f"[INST] {question} [/INST]" for question in questions]
        return self._generate([self._plain(prompt) for prompt in prompts], temperature, 320)

    def completions(self, texts: Sequence[str], temperature: float = 0.0) -> list[Result]:
        """The continuations of source code."""
        return self._generate([self._plain(text) for text in texts], temperature, 90)

    def infillings(self, holes: Sequence[tuple[str, str]], temperature: float = 0.0) -> list[Result]:
        """What belongs between the two texts of each hole (prefix-suffix-middle form)."""
        tokenizer = self._tokenizer
        prompts = [
            [tokenizer.bos, tokenizer.pre, *tokenizer.encode(before), tokenizer.suf, *tokenizer.encode_bare(after)]
            for before, after in holes
        ]
        return self._generate([[*prompt, tokenizer.mid] for prompt in prompts], temperature, 90)

    def _plain(self, text: str) -> list[int]:
        return [self._tokenizer.bos, *self._tokenizer.encode(text)]

    def _generate(self, prompts: list[list[int]], temperature: float, limit: int) -> list[Result]:
        length = max(map(len, prompts))
        padded = torch.tensor([[0] * (length - len(ids)) + ids for ids in prompts])
        sampling = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        made = self._model.generate(
            padded,
            attention_mask=(padded != 0).long(),
            max_new_tokens=limit,
            max_length=None,
            eos_token_id=[self._tokenizer.eos, self._tokenizer.eot],
            pad_token_id=0,
            **sampling,
        )
        return [self._result(ids) for ids in made[:, length:].tolist()]

    def _result(self, ids: list[int]) -> Result:
        ends = [at for at, token in enumerate(ids) if token in (self._tokenizer.eos, self._tokenizer.eot)]
        kept = ids[: ends[0]] if ends else ids
        text = self._tokenizer.decode([*self._tokenizer.encode("x"), *kept])
        return Result(text[1:], bool(ends))


def main() -> None:
    """Print samples, then the share of exercises answered with code that parses and with the expected text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    folder = parser.parse_args().folder
    torch.manual_seed(0)
    writer = Writer(folder)
    for temperature in (0.0, 0.2):
        _print_samples(writer, temperature)
    print(json.dumps(_score(writer, load_exercises()), indent=2))


def _print_samples(writer: Writer, temperature: float) -> None:
    _print(f"chat T={temperature}", QUESTIONS, writer.answers(QUESTIONS, temperature))
    _print(f"completion T={temperature}", COMPLETIONS, writer.completions(COMPLETIONS, temperature))
    shown = [f"{before}<HOLE>{after}" for before, after in HOLES]
    _print(f"infill T={temperature}", shown, writer.infillings(HOLES, temperature))


def _print(kind: str, prompts: Sequence[str], results: list[Result]) -> None:
    for prompt, result in zip(prompts, results, strict=True):
        print(f"--- {kind}\n{prompt}\n>>> {result.text}{'<END>' if result.ended else '...'}")


def _score(writer: Writer, exercises: list[Exercise]) -> dict[str, int | list[str]]:
    """Each exercise asked twice: by its name, and in the last of its hand-written phrasings."""
    asked = [(exercise, exercise.phrasings()[index]) for exercise in exercises for index in (0, -1)]
    results = writer.answers([question for _, question in asked])
    exact = [result.text.strip() == exercise.answer for (exercise, _), result in zip(asked, results, strict=True)]
    parsed = [_parses(exercise, result) for (exercise, _), result in zip(asked, results, strict=True)]
    return {
        "asked": len(asked),
        "ended": sum(result.ended for result in results),
        "well formed and parsed": sum(parsed),
        "word for word": sum(exact),
        "not word for word": [question for (_, question), good in zip(asked, exact, strict=True) if not good],
    }


def _parses(exercise: Exercise, result: Result) -> bool:
    """True if the answer ended, with as many fenced programs as expected, all of them valid Python."""
    programs = Exercise(exercise.name, (), result.text, exercise.is_task).programs()
    try:
        for program in programs:
            ast.parse(program)
    except SyntaxError:
        return False
    return result.ended and len(programs) == len(exercise.programs())


if __name__ == "__main__":
    main()
