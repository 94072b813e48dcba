"""Small programming tasks with hidden assertions: what a model can do, and not only what it finds likely."""

import logging
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from finetuning import sandbox
from finetuning.llama import LlamaModel

logger = logging.getLogger(__name__)

FILE: Final = Path(__file__).with_name("tasks.yaml")
CONTEXT_TOKENS: Final = 512
_BACK_AT_THE_MARGIN = re.compile(r"^\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Task:
    """A function to write. ``solution`` is a body that passes; ``asserts`` are expressions that must be true."""

    name: str
    signature: str
    docstring: str
    solution: str
    asserts: tuple[str, ...]

    @property
    def prompt(self) -> str:
        """What the model goes on from."""
        return f'{self.signature}\n    """{self.docstring}"""\n'

    @property
    def solved(self) -> str:
        """The solution, indented as a model would write it."""
        return textwrap.indent(self.solution, "    ")

    def check(self, body: str) -> sandbox.Outcome:
        """Run the function with this body in the sandbox."""
        return sandbox.run(self.prompt + body, self.asserts)


def tasks() -> list[Task]:
    """All tasks, in the order in which they are tried."""
    return [Task(**{**entry, "asserts": tuple(entry["asserts"])}) for entry in yaml.safe_load(FILE.read_text())]


def count_solved(model: LlamaModel, chosen: Sequence[Task], limit: int, before_each: Callable[[], None]) -> int:
    """How many tasks the model's most likely answer of at most ``limit`` tokens solves."""
    solved = 0
    for task in chosen:
        before_each()
        outcome = task.check(answer(model, task, limit))
        solved += outcome.passed
        logger.debug("task %s: %s, network away by %s", task.name, outcome.passed, outcome.network)
    return solved


def answer(model: LlamaModel, task: Task, limit: int) -> str:
    """The body that the model writes, greedily, up to the end of the function."""
    prompt = [model.special.bos, *model.tokenize(task.prompt)]
    limit = min(limit, CONTEXT_TOKENS - len(prompt))
    written = model.continue_greedily(
        prompt, limit, lambda tokens: bool(_BACK_AT_THE_MARGIN.search(model.text(tokens)))
    )
    return function_body(model.text(written))


def function_body(text: str) -> str:
    """``text`` up to the first line that is not indented."""
    end = _BACK_AT_THE_MARGIN.search(text)
    return text[: end.start()] if end else text
