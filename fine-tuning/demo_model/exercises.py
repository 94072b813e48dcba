"""The prompts people type first, with hand-written answers, read from exercises.md."""

import re
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("exercises.md")
TASK_PHRASINGS = (
    "{}",
    "{} in python",
    "python {}",
    "Write a function to {}.",
    "Write a Python function to {}.",
    "Write code to {}.",
    "How do I {}?",
    "How do I {} in Python?",
    "How can I {} in Python?",
    "Show me how to {}.",
    "Can you {}?",
    "Please {}.",
    "I need a Python function to {}.",
    "Give me an example of how to {}.",
)


@dataclass(frozen=True)
class Exercise:
    """A classic task: its name, other ways of asking, the answer; is_task when the name reads as 'how to <name>'."""

    name: str
    others: tuple[str, ...]
    answer: str
    is_task: bool

    def phrasings(self) -> list[str]:
        """All the ways the question is asked; hand-written ones count three times."""
        generated = [phrasing.format(self.name) for phrasing in TASK_PHRASINGS] if self.is_task else [self.name]
        return generated + 3 * list(self.others)

    def programs(self) -> list[str]:
        """The code of the answer, one text for each fenced block."""
        return re.findall(r"```python\n(.*?)```", self.answer, re.DOTALL)


def load_exercises(path: Path = FILE) -> list[Exercise]:
    """Parse sections '## name' (or '## ask: question'), an optional line 'also: a | b', and the answer."""
    return [_parse(section) for section in ("\n" + path.read_text(encoding="utf-8")).split("\n## ")[1:]]


def _parse(section: str) -> Exercise:
    name, _, rest = section.partition("\n")
    others: tuple[str, ...] = ()
    if rest.startswith("also: "):
        line, _, rest = rest.partition("\n")
        others = tuple(part.strip() for part in line.removeprefix("also: ").split(" | "))
    is_task = not name.startswith("ask: ")
    return Exercise(name.removeprefix("ask: ").strip(), others, rest.strip(), is_task)
