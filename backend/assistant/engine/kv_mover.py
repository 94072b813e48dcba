"""Carries out what the scheduler decides about a model's cells."""

import logging

from assistant.engine.kv_store import KvStore
from assistant.engine.model import KvOp, Model, Restore, Save

logger = logging.getLogger(__name__)


class KvMover:
    """Cache operations of one model; what is saved goes to the store under the model's fingerprint."""

    def __init__(self, model: Model, store: KvStore, fingerprint: str) -> None:
        self._model = model
        self._store = store
        self._fingerprint = fingerprint

    def apply(self, ops: list[KvOp]) -> list[int]:
        """Carry them out in order; the sequences that could not be restored and are empty."""
        failed = []
        for op in ops:
            match op:
                case Save():
                    self._save(op)
                case Restore(seq_id, entry):
                    if not self._restore(seq_id, entry):
                        failed.append(seq_id)
                case _:
                    self._model.apply(op)
        return failed

    def _save(self, op: Save) -> None:
        if not self._store.covers(self._fingerprint, op.owner, op.tokens):
            self._store.put(self._fingerprint, op.owner, op.public, op.tokens, self._model.save(op.seq_id))

    def _restore(self, seq_id: int, entry: int) -> bool:
        saved = self._store.cells(entry)
        if saved is not None and self._model.restore(seq_id, saved):
            return True
        logger.warning("a saved prefix could not be restored; it is read again")
        self._store.remove(entry)
        return False
