"""Look at the model: answers to the exercises, completions and infillings.

Run in the folder fine-tuning: `python -m demo_model.sample`. Prints samples and how many answers parse as Python.
"""

import argparse
import ast
import json
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


class Writer:
    """Generates text with the exported model."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer(folder / "tokenizer.model")
        self._model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def answer(self, question: str, temperature: float = 0.0) -> tuple[str, bool]:
        """The answer to a question, and whether it ended by itself."""
        ids = [self._tokenizer.bos, *self._tokenizer.encode(f"[INST] {question} [/INST]")]
        return self._generate(ids, temperature, 320)

    def completion(self, text: str, temperature: float = 0.0) -> tuple[str, bool]:
        """The continuation of source code."""
        return self._generate([self._tokenizer.bos, *self._tokenizer.encode(text)], temperature, 90)

    def infill(self, before: str, after: str, temperature: float = 0.0) -> tuple[str, bool]:
        """What belongs between before and after (prefix-suffix-middle form)."""
        tokenizer = self._tokenizer
        head = [tokenizer.bos, tokenizer.pre, *tokenizer.encode(before), tokenizer.suf]
        return self._generate([*head, *tokenizer.encode_bare(after), tokenizer.mid], temperature, 90)

    def _generate(self, ids: list[int], temperature: float, limit: int) -> tuple[str, bool]:
        ends = [self._tokenizer.eos, self._tokenizer.eot]
        sampling = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        prompt = torch.tensor([ids])
        made = self._model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=limit,
            max_length=None,
            eos_token_id=ends,
            pad_token_id=0,
            **sampling,
        )
        new = made[0, len(ids) :].tolist()
        whole = self._tokenizer.decode([*self._tokenizer.encode("x"), *new])
        return whole[1:], bool(new) and new[-1] in ends


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
    for question in QUESTIONS:
        _print(f"chat T={temperature}", question, writer.answer(question, temperature))
    for text in COMPLETIONS:
        _print(f"completion T={temperature}", text, writer.completion(text, temperature))
    for before, after in HOLES:
        _print(f"infill T={temperature}", f"{before}<HOLE>{after}", writer.infill(before, after, temperature))


def _print(kind: str, prompt: str, result: tuple[str, bool]) -> None:
    text, ended = result
    print(f"--- {kind}\n{prompt}\n>>> {text}{'<END>' if ended else '...'}")


def _score(writer: Writer, exercises: list[Exercise]) -> dict[str, int | list[str]]:
    ended, parsed, exact = 0, 0, 0
    missed = []
    for exercise in exercises:
        text, has_end = writer.answer(exercise.phrasings()[0])
        answer = Exercise(exercise.name, (), text, exercise.is_task)
        ended += has_end
        parsed += has_end and len(answer.programs()) == len(exercise.programs()) and _parses(answer)
        exact += text.strip() == exercise.answer
        if text.strip() != exercise.answer:
            missed.append(exercise.name)
    return {"exercises": len(exercises), "ended": ended, "parsed": parsed, "exact": exact, "not exact": missed}


def _parses(answer: Exercise) -> bool:
    try:
        for program in answer.programs():
            ast.parse(program)
    except SyntaxError:
        return False
    return True


if __name__ == "__main__":
    main()
