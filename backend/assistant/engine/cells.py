"""Which sequences hold how many KV cells, and what would come free: arithmetic only.

A unified llama.cpp cache lets several sequences share the cells of a common prefix. The ledger mirrors that with cell
numbers of its own: they need not be llama.cpp's, only their counts agree.
"""

import numpy as np
import numpy.typing as npt

Cells = npt.NDArray[np.int32]


class CellLedger:
    """Cells of each sequence. A sequence is live (of a running request) or idle (a cached prefix)."""

    def __init__(self, cells: int) -> None:
        self.total = cells
        self._free: Cells = np.arange(cells, dtype=np.int32)
        self._n_free = cells
        self._n_live = 0
        self._refs: Cells = np.zeros(cells, np.int32)
        self._live_refs: Cells = np.zeros(cells, np.int32)
        self._cells: dict[int, Cells] = {}
        self._length: dict[int, int] = {}
        self._live: set[int] = set()

    @property
    def free(self) -> int:
        return self._n_free

    @property
    def live(self) -> int:
        """Cells held by at least one live sequence."""
        return self._n_live

    @property
    def idle(self) -> int:
        """Cells that come free when every idle sequence is dropped."""
        return self.total - self._n_free - self._n_live

    def length(self, seq_id: int) -> int:
        return self._length.get(seq_id, 0)

    def open(self, seq_id: int) -> None:
        """A new, empty, live sequence."""
        if seq_id in self._length:
            raise ValueError(f"sequence {seq_id} is in use")
        self._cells[seq_id] = np.empty(self.total, np.int32)
        self._length[seq_id] = 0
        self._live.add(seq_id)

    def extend(self, seq_id: int, count: int) -> None:
        """Give a live sequence ``count`` free cells."""
        if count > self._n_free or seq_id not in self._live:
            raise ValueError(f"no {count} free cells for sequence {seq_id}")
        taken = self._free[self._n_free - count : self._n_free]
        self._n_free -= count
        self._n_live += count
        start = self._length[seq_id]
        self._cells[seq_id][start : start + count] = taken
        self._length[seq_id] = start + count
        self._refs[taken] = 1
        self._live_refs[taken] = 1

    def share(self, source: int, target: int, length: int) -> None:
        """Let the empty live sequence ``target`` share the first ``length`` cells of ``source``."""
        if self._length[target] or length > self._length[source]:
            raise ValueError(f"cannot share {length} cells of {source} with {target}")
        shared = self._cells[source][:length]
        self._cells[target][:length] = shared
        self._length[target] = length
        self._refs[shared] += 1
        self._hold(shared)

    def truncate(self, seq_id: int, length: int) -> None:
        """Keep the first ``length`` cells."""
        gone = self._cells[seq_id][length : self._length[seq_id]]
        self._length[seq_id] = length
        if seq_id in self._live:
            self._unhold(gone)
        self._refs[gone] -= 1
        freed = gone[self._refs[gone] == 0]
        self._free[self._n_free : self._n_free + len(freed)] = freed
        self._n_free += len(freed)

    def release(self, seq_id: int) -> None:
        """A live sequence becomes idle."""
        self._live.remove(seq_id)
        self._unhold(self._cells[seq_id][: self._length[seq_id]])

    def revive(self, seq_id: int) -> None:
        """An idle sequence becomes live."""
        self._live.add(seq_id)
        self._hold(self._cells[seq_id][: self._length[seq_id]])

    def drop(self, seq_id: int) -> None:
        """Forget a sequence; cells that nobody shares come free."""
        self.truncate(seq_id, 0)
        self._live.discard(seq_id)
        del self._cells[seq_id], self._length[seq_id]

    def _hold(self, cells: Cells) -> None:
        self._n_live += int(np.count_nonzero(self._live_refs[cells] == 0))
        self._live_refs[cells] += 1

    def _unhold(self, cells: Cells) -> None:
        self._live_refs[cells] -= 1
        self._n_live -= int(np.count_nonzero(self._live_refs[cells] == 0))
