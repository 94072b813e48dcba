"""Several rows in one sequence: positions restart with each row, so that no row sees another.

transformers turns restarting ``position_ids`` without an attention mask into a block-diagonal mask; a test holds it to
that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from finetuning.rows import Row


@dataclass(frozen=True, slots=True)
class Pack:
    """``ids`` and ``positions``: shape (1, tokens). ``predicting``: indices whose next token is learned, shape (n,);
    ``targets``: those next tokens."""

    ids: torch.Tensor
    positions: torch.Tensor
    predicting: torch.Tensor
    targets: torch.Tensor


def pack(rows: Sequence[Row], length: int) -> list[Pack]:
    """Rows in packs of ``length`` tokens at most, first fit in the given order. Rows must not be longer than that."""
    bins: list[list[Row]] = []
    room: list[int] = []
    for row in rows:
        place = next((i for i, free in enumerate(room) if free >= len(row.ids)), None)
        if place is None:
            bins.append([])
            room.append(length)
            place = len(bins) - 1
        bins[place].append(row)
        room[place] -= len(row.ids)
    return [_collate(group) for group in bins]


def _collate(rows: Sequence[Row]) -> Pack:
    ids: list[int] = []
    positions: list[int] = []
    predicting: list[int] = []
    for row in rows:
        predicting += range(len(ids) + row.first - 1, len(ids) + len(row.ids) - 1)
        positions += range(len(row.ids))
        ids += row.ids
    tokens = torch.tensor(ids)
    at = torch.tensor(predicting)
    return Pack(tokens[None], torch.tensor(positions)[None], at, tokens[at + 1])
