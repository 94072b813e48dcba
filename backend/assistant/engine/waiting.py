"""Who is next: priority first, then the user that has been served least, then the order of arrival.

Fairness is a virtual token counter per fairness key (Sheng et al. 2024, "Fairness in Serving Large Language Models"):
every token read or written for a user is charged; a user who comes back starts at the least counter of those present,
so that nobody saves up credit. Waiting raises the priority (``Sequence.age``), so that nobody starves.
"""

from collections import Counter
from collections.abc import Iterable

from assistant.engine.sequence import Sequence


class WaitingQueue:
    """Sequences without a place in the cache, and the service their users have had."""

    def __init__(self) -> None:
        self._waiting: dict[str, Sequence] = {}
        self._present: Counter[str] = Counter()
        self._served: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._waiting

    def arrive(self, sequence: Sequence) -> None:
        """A new request: its user is present until ``leave``."""
        key = sequence.request.fairness_key
        if not self._present[key]:
            self._served[key] = min(self._served.values(), default=0.0)
        self._present[key] += 1
        self.put(sequence)

    def leave(self, sequence: Sequence) -> None:
        """The request has finished, wherever it was."""
        self._waiting.pop(sequence.request.id, None)
        key = sequence.request.fairness_key
        self._present[key] -= 1
        if not self._present[key]:
            del self._present[key], self._served[key]

    def put(self, sequence: Sequence) -> None:
        """Wait, or after a preemption wait again."""
        self._waiting[sequence.request.id] = sequence

    def take(self, sequence: Sequence) -> None:
        """The sequence is admitted."""
        del self._waiting[sequence.request.id]

    def charge(self, key: str, tokens: int) -> None:
        """The user has been served ``tokens`` tokens."""
        self._served[key] += tokens

    def all(self) -> Iterable[Sequence]:
        return self._waiting.values()

    def in_order(self, now: float) -> list[Sequence]:
        """All that wait, the next one first. Within one user the order of arrival holds.

        Each waiting request of a user counts as served to those behind it: users take turns in the forecast too.
        """
        ahead: Counter[str] = Counter()
        ranked: list[tuple[tuple[int, float, int], Sequence]] = []
        for sequence in sorted(self._waiting.values(), key=lambda each: (each.age(now), each.number)):
            key = sequence.request.fairness_key
            place = (sequence.urgency, self._served[key] + ahead[key], sequence.number)
            ahead[key] += len(sequence.tokens) + sequence.tokens_left
            ranked.append((place, sequence))
        return [sequence for _, sequence in sorted(ranked, key=lambda each: each[0])]
