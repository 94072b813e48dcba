"""Who is next: priority first, then the user that has been served least, then the order of arrival.

Fairness is a virtual token counter per fairness key (Sheng et al. 2024, "Fairness in Serving Large Language Models"):
every token read or written for a user is charged; a user who comes back starts at the least counter of those present,
so that nobody saves up credit. Waiting raises the priority (``Sequence.age``), so that nobody starves.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from assistant.engine.sequence import Sequence

Place = tuple[int, float]
"""Urgency, and the tokens that the user will have been served by then. Of equals, who came first is first."""


class Line:
    """Which places requests get that join one after another: users take turns, by how much they were ``served``.

    Each request of a user counts as served to those of the same user that are no more urgent.
    """

    def __init__(self, served: Mapping[str, float]) -> None:
        self._served = dict(served)
        self._least = min(self._served.values(), default=0.0)
        self._ahead: Counter[tuple[str, int]] = Counter()
        self._requests: Counter[str] = Counter()

    def join(self, key: str, urgency: int, tokens: int) -> Place:
        """The place of a request that costs up to ``tokens``. Who is not known has been served as little as anybody."""
        before = sum(self._ahead[key, each] for each in range(urgency + 1))
        self._ahead[key, urgency] += tokens
        self._requests[key] += 1
        return urgency, self._served.get(key, self._least) + before

    def of_user(self, key: str) -> int:
        """How many requests of a user are in the line."""
        return self._requests[key]

    def copy(self) -> "Line":
        line = Line(self._served)
        line._ahead, line._requests = self._ahead.copy(), self._requests.copy()
        return line


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
        """All that wait, the next one first. Within one user the order of arrival holds."""
        return [sequence for _, sequence in self.line(now)[1]]

    def line(self, now: float) -> tuple[Line, list[tuple[Place, Sequence]]]:
        """The line for others to join, and all that wait with their places, the next one first."""
        line = Line(self._served)
        arrived = sorted(self._waiting.values(), key=lambda each: (each.age(now), each.number))
        placed = [(line.join(each.request.fairness_key, each.urgency, each.cost), each) for each in arrived]
        placed.sort(key=lambda each: (each[0], each[1].number))
        return line, placed
