"""Connections that keep nobody else waiting: bounded in number, in what they buffer and in what they may take.

uvicorn itself waits for ever for a head that never comes, and for a reader that has stopped reading.
"""

import asyncio
import logging
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger(__name__)

UNSENT_BYTES: Final = 32 * 1024
"""What the kernel holds for a reader, beyond what is on its way; the transport adds one message to it."""
SPARE_DESCRIPTORS: Final = 256
"""For files, the database, and whatever else is no caller's connection."""
EVICTABLE_S: Final = 1.0
"""How long a connection must have been idle before another may take its place."""
GRACE_S: Final = 2.0
"""How much later than the application, which explains itself, the connection gives up on a body."""
FULL: Final = b"The server has no room for more connections; try again in a second.\n"
LATE: Final = b"The head of the request did not arrive in time.\n"


@dataclass(frozen=True, slots=True)
class Bounds:
    """``head_s`` for the head of a request, ``body_s`` for its body, ``send_s`` for a reader that takes nothing."""

    connections: int
    head_s: float
    body_s: float
    send_s: float


def bounded_protocol(bounds: Bounds) -> type[H11Protocol]:
    """The protocol class for uvicorn's configuration."""

    class Bounded(BoundedProtocol):
        pass

    Bounded.bounds = bounds
    return Bounded


def allow_descriptors(connections: int) -> int:
    """Raise the process's limit of open files to what so many connections need; how many the limit really allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    allowed = max(granted - SPARE_DESCRIPTORS, granted // 2)
    if allowed < connections:
        logger.warning("the limit of open files allows fewer connections", extra={"connections": allowed})
    return min(allowed, connections)


class BoundedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with deadlines.

    - A head must be complete ``head_s`` after the connection, or the head's own first byte, came: 408.
    - A body that is still coming when its answer has been given is discarded for ``body_s``, then the connection ends.
    - A reader that has taken nothing for ``send_s`` is cut off; the application sees a disconnect.
    - When there are too many connections, the one that has been idle longest makes room, else the new one is refused.
    """

    bounds: Bounds

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awaited: object = None
        self._deadline: asyncio.TimerHandle | None = None
        self._unsent = 0
        self._stall: asyncio.TimerHandle | None = None
        self._idle_since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        crowded = len(self.connections) >= self.bounds.connections
        super().connection_made(transport)
        if crowded and not self._make_room():
            self._end_with(429, FULL, (b"Retry-After", b"1"))
            return
        transport.set_write_buffer_limits(high=0)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._idle_since = self.loop.time()
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadlines()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """The WebSocket's own protocol takes over, with its own time-outs and buffers."""
        self._forget_deadlines()
        self.transport.set_write_buffer_limits()
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()

    def _await_request(self) -> None:
        """Set the deadline for what is missing of the request that is coming in, if any is."""
        awaited = self._missing()
        if awaited == self._awaited:
            return
        self._awaited = awaited
        if self._deadline is not None:
            self._deadline.cancel()
        if awaited is not None:
            _, seconds, late = awaited
            self._deadline = self.loop.call_later(seconds, late)

    def _missing(self) -> tuple[object, float, Callable[[], None]] | None:
        """Which request is awaited (by the one before it), for how long, and what happens then."""
        if self.transport.is_closing():
            return None
        if self.conn.their_state is h11.SEND_BODY:
            return self.cycle, self.bounds.body_s + GRACE_S, self.transport.abort
        is_expected = self.cycle is None or bool(self.conn.trailing_data[0])
        if self.conn.their_state is h11.IDLE and is_expected:
            return self.cycle, self.bounds.head_s, self._head_is_late
        return None

    def _head_is_late(self) -> None:
        if self.conn.trailing_data[0]:
            self._end_with(408, LATE)
        else:
            self.transport.close()

    def _end_with(self, status: int, text: bytes, *headers: tuple[bytes, bytes]) -> None:
        """Answer from outside the application, and close."""
        kind = (b"Content-Type", b"text/plain; charset=utf-8")
        head = h11.Response(status_code=status, headers=[*headers, kind, (b"Connection", b"close")])
        for event in (head, h11.Data(data=text), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch_reader(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self.bounds.send_s, self._check_reader)

    def _check_reader(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._watch_reader()
            return
        logger.info("a reader that takes nothing has been cut off")
        self.transport.abort()

    def _make_room(self) -> bool:
        """End the connection that has been idle longest. False: none has been for long enough."""
        before = self.loop.time() - EVICTABLE_S
        others = [each for each in self.connections if isinstance(each, BoundedProtocol) and each is not self]
        idle = [each for each in others if each._is_idle and each._idle_since < before]
        if not idle:
            return False
        min(idle, key=lambda each: each._idle_since).transport.abort()
        return True

    @property
    def _is_idle(self) -> bool:
        return not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete)

    def _forget_deadlines(self) -> None:
        for timer in (self._deadline, self._stall):
            if timer is not None:
                timer.cancel()
