"""How well a GGUF file does on rows: losses, infills, endings. All through llama.cpp, on the file that is served."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetuning.llama import LlamaModel
from finetuning.rows import Row

REPEATS = 4


@dataclass(frozen=True, slots=True)
class Losses:
    """Per row: summed negative log-likelihood of the learned tokens in nats, and how many there are."""

    nll: NDArray[np.float64]
    tokens: NDArray[np.int64]

    @property
    def mean(self) -> float:
        """Nats per token."""
        return float(self.nll.sum() / self.tokens.sum())


def losses(model: LlamaModel, rows: Sequence[Row], done: Callable[[int], None]) -> Losses:
    """Loss of every row; ``done`` is told how many rows are finished."""
    sums = []
    for number, row in enumerate(rows):
        sums.append(float(model.token_nll(row.ids)[row.first - 1 :].sum()))
        done(number + 1)
    return Losses(np.array(sums), np.array([len(row.ids) - row.first for row in rows], dtype=np.int64))


def difference_interval(champion: Losses, candidate: Losses, samples: int, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the candidate's mean loss minus the champion's: a paired bootstrap over rows."""
    chosen = np.random.default_rng(seed).integers(0, len(champion.nll), (samples, len(champion.nll)))
    change = (candidate.nll - champion.nll)[chosen].sum(axis=1) / champion.tokens[chosen].sum(axis=1)
    low, high = np.quantile(change, (0.025, 0.975))
    return float(low), float(high)


def infill_similarity(model: LlamaModel, rows: Sequence[Row], limit: int) -> float:
    """Mean similarity (0 to 100) between the right middles and what the model writes, at most ``limit`` tokens."""
    scores = []
    for row in rows:
        right = model.text(row.ids[row.first : -1])
        length = min(limit, len(row.ids) - row.first + 16)
        written = [t for t in model.continue_greedily(row.ids[: row.first], length) if not model.ends(t)]
        scores.append(100 * difflib.SequenceMatcher(None, right, model.text(written), autojunk=False).ratio())
    return float(np.mean(scores))


def bad_endings(model: LlamaModel, rows: Sequence[Row], limit: int) -> int:
    """How many answers do not come to an end within ``limit`` tokens, or end up repeating themselves."""
    answers = [model.continue_greedily(row.ids[: row.first], limit) for row in rows]
    return sum(not model.ends(answer[-1]) or repeats_itself(answer) for answer in answers)


def repeats_itself(tokens: Sequence[int]) -> bool:
    """Whether a stretch of 4 to 32 tokens stands ``REPEATS`` times in a row somewhere."""
    for size in range(4, 33):
        run = 0
        for index in range(size, len(tokens)):
            run = run + 1 if tokens[index] == tokens[index - size] else 0
            if run >= size * (REPEATS - 1):
                return True
    return False
