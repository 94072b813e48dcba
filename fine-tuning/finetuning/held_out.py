"""What judges a model must not have been learned: extraction leaves such rows out, training does not begin with one."""

from collections.abc import Iterable, Sequence

from datasketch import MinHashLSH

from finetuning.errors import DataError
from finetuning.hygiene import PERMUTATIONS, signature, signature_of
from finetuning.items import Item
from finetuning.rows import Row


class HeldOut:
    """Items that judge, to be asked whether others nearly are one of them."""

    def __init__(self, items: Iterable[Item], threshold: float) -> None:
        self._index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        for sha256, item in {item.sha256: item for item in items}.items():
            self._index.insert(sha256, signature_of(item))

    def resembles(self, item: Item) -> bool:
        """Whether the item's text nearly is that of one that judges."""
        return bool(self._index.query(signature_of(item)))


def resembling(train: Sequence[Row], gate: Sequence[Row], threshold: float) -> list[Row]:
    """Training rows of a gate row's conversation or file, and those whose tokens nearly are a gate row's (MinHash)."""
    groups = {row.group for row in gate}
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
    for sha256, row in {row.sha256: row for row in gate}.items():
        index.insert(sha256, signature(list(map(str, row.ids))))
    return [row for row in train if row.group in groups or index.query(signature(list(map(str, row.ids))))]


def require_held_out(train: Sequence[Row], gate: Sequence[Row], threshold: float) -> None:
    """Raises DataError when a training row resembles a gate row: the gate would praise what was learned by heart."""
    leaked = resembling(train, gate, threshold)
    if leaked:
        raise DataError(
            f"{len(leaked)} of {len(train)} training rows resemble gate rows (the first: {leaked[0].source} "
            f"{leaked[0].source_id}): the data set was changed after it was extracted. Start a new run."
        )
