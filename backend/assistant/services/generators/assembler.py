"""From token bytes to text that may be shown: whole characters only, and never past a stop string."""

import codecs
from collections.abc import Sequence


class TextAssembler:
    """Feeds on the bytes of one token at a time.

    Text that could be the beginning of a stop string is held back until it is clear that it is not. Bytes that are not
    UTF-8 become U+FFFD, and so does NUL, which PostgreSQL cannot store. ``strip`` drops the white space that chat
    templates make an answer begin and end with; of one that goes on, ``begun``, only what it ends with.
    ``received`` characters have come in, of which the first ``settled`` have been returned, or dropped for good.
    """

    def __init__(self, stop: Sequence[str] = (), *, strip: bool = False, begun: bool = False) -> None:
        self._stop = tuple(text for text in stop if text)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._strip = strip
        self._started = begun or not strip
        self._blank = ""
        self._released = 0
        self.received = 0
        self.stopped_by: str | None = None

    @property
    def stopped(self) -> bool:
        return self.stopped_by is not None

    @property
    def settled(self) -> int:
        return self._released - len(self._blank)

    def push(self, piece: bytes) -> str:
        """Text that is now certain; sets ``stopped_by`` to the stop string that has appeared (it is not returned)."""
        text = self._decoder.decode(piece).replace("\0", "\ufffd")
        self.received += len(text)
        return self._trim(self._release(text, final=False))

    def finish(self) -> str:
        """The rest, when no more tokens come."""
        text = self._decoder.decode(b"", final=True)
        self.received += len(text)
        text = self._trim(self._release(text, final=True))
        self._blank = ""
        return text

    def _trim(self, text: str) -> str:
        """Hold back white space at the end until something visible follows it."""
        if not self._strip:
            return text
        if not self._started:
            text = text.lstrip()
            self._started = bool(text)
        text = self._blank + text
        visible = text.rstrip()
        self._blank = text[len(visible) :]
        return visible

    def _release(self, text: str, *, final: bool) -> str:
        if self.stopped:
            return ""
        released = self._certain(text, final=final)
        self._released += len(released)
        return released

    def _certain(self, text: str, *, final: bool) -> str:
        self._held += text
        found = [(index, stop) for stop in self._stop if (index := self._held.find(stop)) >= 0]
        if found:
            end, self.stopped_by = min(found)
            released, self._held = self._held[:end], ""
            return released
        keep = 0 if final else self._possible_stop()
        released, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return released

    def _possible_stop(self) -> int:
        """How many characters at the end could be the beginning of a stop string."""
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stop):
                return length
        return 0
