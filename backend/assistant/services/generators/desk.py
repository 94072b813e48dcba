"""A bounded number of requests at once, for generators without an engine of ours: the others wait and are told so."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final

from assistant.engine.types import ONE_USERS_SHARE, Priority
from assistant.errors import BusyError
from assistant.services.generators.types import QueuedEvent

ANNOUNCE_S: Final = 0.5
QUEUE_MAX: Final = 256


class Ticket:
    """One request at the desk, from its arrival until it leaves."""

    def __init__(self, desk: "Desk", priority: Priority, user: str, number: int, expected_wait_s: float) -> None:
        self.priority = priority
        self.user = user
        self.number = number
        self.expected_wait_s = expected_wait_s
        self.admitted: float | None = None
        self._desk = desk
        self._called = asyncio.Event()

    async def wait(self) -> AsyncIterator[QueuedEvent]:
        """Position and predicted wait, again and again, until it is this request's turn."""
        while self.admitted is None:
            yield self._desk.outlook(self)
            try:
                await asyncio.wait_for(self._called.wait(), ANNOUNCE_S)
            except TimeoutError:
                continue

    def call(self, now: float) -> None:
        self.admitted = now
        self._called.set()

    def leave(self) -> None:
        """Give the place back, or stop waiting for one. Again: nothing."""
        self._desk.release(self)


class Desk:
    """``places`` requests run; the next is the most urgent, then the one whose user has the fewest running, then first.

    Belongs to the event loop. Predicted waits come from how long requests have taken lately.
    """

    def __init__(self, places: int, max_wait_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._running: set[Ticket] = set()
        self._waiting: list[Ticket] = []
        self._by_user: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._mean_s = 0.0

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def predicted_wait_s(self) -> float:
        """What a chat request of somebody who is not here yet would wait."""
        return self._wait_s(self._before(Priority.CHAT, ""))

    def arrive(self, priority: Priority, user: str) -> Ticket:
        """Take a place, or a place in the queue. Raises BusyError when the wait would be too long."""
        wait_s = self._wait_s(self._before(priority, user))
        own = sum(other.user == user for other in self._waiting)
        if wait_s > self._max_wait_s or len(self._waiting) >= QUEUE_MAX or own >= ONE_USERS_SHARE * QUEUE_MAX:
            raise BusyError(max(1.0, wait_s - self._max_wait_s))
        ticket = Ticket(self, priority, user, next(self._numbers), wait_s)
        self._waiting.append(ticket)
        self._call_next()
        return ticket

    def outlook(self, ticket: Ticket) -> QueuedEvent:
        """Where a waiting request stands."""
        position = sorted(self._waiting, key=self._rank).index(ticket)
        return QueuedEvent(position, self._wait_s(position))

    def release(self, ticket: Ticket) -> None:
        """Called by the ticket that leaves."""
        if ticket in self._running:
            self._running.remove(ticket)
            self._by_user[ticket.user] -= 1
            took = self._clock() - (ticket.admitted or 0.0)
            self._mean_s += (took - self._mean_s) * (0.2 if self._mean_s else 1.0)
        elif ticket in self._waiting:
            self._waiting.remove(ticket)
        self._by_user += Counter()  # forget users who have nothing here
        self._call_next()

    def _call_next(self) -> None:
        while self._waiting and len(self._running) < self._places:
            ticket = min(self._waiting, key=self._rank)
            self._waiting.remove(ticket)
            self._running.add(ticket)
            self._by_user[ticket.user] += 1
            ticket.call(self._clock())

    def _before(self, priority: Priority, user: str) -> int:
        """How many would be called before a newcomer."""
        return sum(self._rank(other)[:2] <= (priority, self._by_user[user]) for other in self._waiting)

    def _rank(self, ticket: Ticket) -> tuple[int, int, int]:
        return ticket.priority, self._by_user[ticket.user], ticket.number

    def _wait_s(self, ahead: int) -> float:
        """Behind ``ahead`` others: a place is given back as often as all places together finish a request."""
        if len(self._running) < self._places:
            return 0.0
        now = self._clock()
        so_far = sum(now - (each.admitted or now) for each in self._running) / self._places
        return (ahead + 1) * max(self._mean_s, so_far) / self._places
