"""Which autocompletes stayed: those that a later request of the same person carries in its prefix."""

import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

ANCHOR_CHARS: Final = 80
"""How much of the prefix must stand before the text again, for it to be in the same place."""
OFFERS_KEPT: Final = 16
PEOPLE_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class _Offer:
    id: uuid.UUID
    text: str


class Offers:
    """The last few autocompletes of each person, in memory; what nobody takes up is forgotten."""

    def __init__(self) -> None:
        self._of: OrderedDict[uuid.UUID, deque[_Offer]] = OrderedDict()

    def add(self, who: uuid.UUID, record: uuid.UUID, prefix: str, text: str) -> None:
        """Remember an answer after ``prefix``. One that could not be told from what was there before is not kept."""
        offered = prefix[-ANCHOR_CHARS:] + text.rstrip()
        if not text.strip() or offered in prefix:
            return
        self._of.setdefault(who, deque(maxlen=OFFERS_KEPT)).append(_Offer(record, offered))
        self._of.move_to_end(who)
        if len(self._of) > PEOPLE_KEPT:
            self._of.popitem(last=False)

    def taken(self, who: uuid.UUID, prefix: str) -> list[uuid.UUID]:
        """Records of the answers that ``prefix`` carries; each is told once."""
        offers = self._of.get(who)
        if offers is None:
            return []
        found = [offer for offer in offers if offer.text in prefix]
        for offer in found:
            offers.remove(offer)
        return [offer.id for offer in found]
