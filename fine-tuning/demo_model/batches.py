"""Batches: samples of the three kinds packed into rows, each batch a function of seed and step alone."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from .corpus import Corpus, Definition, SourceFile
from .exercises import Exercise
from .samples import (
    SYSTEM_PROMPTS,
    Sample,
    chat_sample,
    code_sample,
    definition_turn,
    exercise_turn,
    infill_sample,
)
from .tokenizer import Tokenizer

SHARES = {"code": 0.60, "chat": 0.25, "infill": 0.15}
EXERCISE_SHARE = 0.5
PROGRAM_SHARE = 0.12
TEST_FILE_SHARE = 0.25
LONG_EVERY = 8
MAX_SAMPLE_TOKENS = 1_000
IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """Rows of packed samples: ids, labels (next token, -100 where no loss), positions (restart at each sample), all
    of shape (rows, length); mask (rows, 1, length, length), True where a token may look."""

    ids: Tensor
    labels: Tensor
    positions: Tensor
    mask: Tensor


class SampleSource:
    """Draws samples of a kind from one split of the corpus."""

    def __init__(
        self, tokenizer: Tokenizer, files: list[SourceFile], definitions: list[Definition], exercises: list[Exercise]
    ) -> None:
        self._tokenizer = tokenizer
        self._files = files
        self._definitions = definitions
        self._exercises = exercises
        programs = [program for exercise in exercises for program in exercise.programs()]
        self._programs = [SourceFile("exercises.md", program) for program in programs]
        self._weights = [len(file.text) * (TEST_FILE_SHARE if file.is_test else 1.0) for file in files]

    @classmethod
    def for_training(cls, tokenizer: Tokenizer, corpus: Corpus, exercises: list[Exercise]) -> "SampleSource":
        """The training files and definitions, and the exercises."""
        return cls(tokenizer, corpus.train, corpus.train_definitions, exercises)

    @classmethod
    def for_dev(cls, tokenizer: Tokenizer, corpus: Corpus) -> "SampleSource":
        """The held-out files and their definitions; no exercises."""
        return cls(tokenizer, corpus.dev, corpus.dev_definitions, [])

    def draw(self, kind: str, rng: random.Random, length: int) -> Sample:
        """One sample of kind, at most length tokens unless it is code, which is cut where it is packed."""
        if kind == "code":
            return code_sample(self._tokenizer, self._file(rng), rng, rng.randint(700, 4 * length))
        while True:
            sample = self._chat(rng) if kind == "chat" else infill_sample(self._tokenizer, self._file(rng), rng)
            if len(sample.ids) <= min(length, MAX_SAMPLE_TOKENS):
                return sample

    def draw_middle(self, rng: random.Random) -> Sample:
        """An infilling sample whose loss is on the middle only, for evaluation."""
        return infill_sample(self._tokenizer, self._file(rng), rng, middle_only=True)

    def _file(self, rng: random.Random) -> SourceFile:
        if self._programs and rng.random() < PROGRAM_SHARE:
            return rng.choice(self._programs)
        return rng.choices(self._files, self._weights)[0]

    def _chat(self, rng: random.Random) -> Sample:
        turns = [self._turn(rng) for _ in range(rng.choice((1, 1, 1, 1, 2, 3)))]
        system = rng.choice(SYSTEM_PROMPTS) if rng.random() < 0.3 else ""
        return chat_sample(self._tokenizer, turns, system)

    def _turn(self, rng: random.Random) -> tuple[str, str]:
        if self._exercises and rng.random() < EXERCISE_SHARE:
            return exercise_turn(rng.choice(self._exercises), rng)
        return definition_turn(rng.choice(self._definitions), rng)


class Batches:
    """The training batches, addressed by step."""

    def __init__(self, source: SampleSource, seed: int, tokens: int, length: int) -> None:
        self._source = source
        self._seed = seed
        self._tokens = tokens
        self._length = length

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step: rows of the usual length, every eighth step of twice that."""
        length = self._length * (2 if step % LONG_EVERY == LONG_EVERY - 1 else 1)
        rng = random.Random(f"{self._seed}-{step}")
        waiting: dict[str, Sample] = {}
        drawn = dict.fromkeys(SHARES, 0)
        rows = [self._row(rng, length, waiting, drawn) for _ in range(self._tokens // length)]
        return collate(rows, length)

    def _row(self, rng: random.Random, length: int, waiting: dict[str, Sample], drawn: dict[str, int]) -> list[Sample]:
        row: list[Sample] = []
        room = length
        while room > 8:
            kind = min(SHARES, key=lambda name: (drawn[name] + 1) / SHARES[name] * rng.uniform(0.5, 1.5))
            sample = waiting.pop(kind, None) or self._source.draw(kind, rng, length)
            if len(sample.ids) > room and kind != "code":
                waiting[kind] = sample
                sample = self._source.draw("code", rng, length)
                kind = "code"
            sample = Sample(sample.ids[:room], sample.targets[:room], sample.text_bytes)
            drawn[kind] += len(sample.ids)
            room -= len(sample.ids)
            row.append(sample)
        return row


def collate(rows: list[list[Sample]], length: int) -> Batch:
    """Pack each list of samples into one row; no sample sees another."""
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    positions = torch.zeros_like(ids)
    document = torch.full_like(ids, -1)
    for index, row in enumerate(rows):
        start = 0
        for number, sample in enumerate(row):
            end = start + len(sample.ids)
            ids[index, start:end] = torch.tensor(sample.ids)
            wanted = torch.tensor(sample.ids).where(torch.tensor(sample.targets), IGNORED)
            labels[index, start : end - 1] = wanted[1:]
            positions[index, start:end] = torch.arange(end - start)
            document[index, start:end] = number
            start = end
    mask = (document[:, :, None] == document[:, None, :]).tril()
    return Batch(ids, labels, positions, mask[:, None])
