"""Requests and tokens per minute that an API key may use.

Token buckets in memory, one set a process: behind several backends a key has its limits on each one it reaches. A
bucket holds a minute's worth, begins full and fills steadily. Requests are taken before a call begins; tokens, those
of prompt and answer, when it has ended, so a call may overdraw, and the key waits until that is paid back.
"""

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from assistant.errors import BusyError

MINUTE_S: Final = 60.0
ATTEMPTS: Final = 10
MOST_ACCOUNTS: Final = 10_000
"""Accounts whose failed attempts are remembered."""
Unit = Literal["requests", "tokens"]


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """An API key and what it may use in a minute; None is as much as it likes."""

    id: uuid.UUID
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class RateLimitError(BusyError):
    """The key has used up what it has for now; ``retry_after_s`` is when there is some again."""

    code = "rate_limit_exceeded"

    def __init__(self, unit: Unit, limit: int, retry_after_s: float, standing: dict[str, str]) -> None:
        super().__init__(retry_after_s)
        text = f"This API key may use {limit} {unit} a minute and has used them; try again in {self.retry_after_s} s."
        self.args, self.message = (text,), text
        self._standing = standing

    @property
    def headers(self) -> dict[str, str]:
        return {**super().headers, **self._standing}


@dataclass(slots=True)
class Bucket:
    """``level`` of ``limit`` units at ``at`` (seconds); below zero it is overdrawn."""

    limit: int
    at: float
    level: float = field(init=False)

    def __post_init__(self) -> None:
        self.level = float(self.limit)

    def fill(self, now: float) -> None:
        self.level = min(self.limit, self.level + (now - self.at) * self.limit / MINUTE_S)
        self.at = now

    def seconds_until(self, level: float) -> float:
        return max(0.0, (level - self.level) * MINUTE_S / self.limit)


class RateLimits:
    """The buckets of every key that has limits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[uuid.UUID, Unit], Bucket] = {}

    def take(self, key: KeyLimits | None) -> dict[str, str]:
        """Count one request, and return OpenAI's ``x-ratelimit-`` headers. Raises RateLimitError."""
        if key is None:
            return {}
        buckets = self._of(key)
        for unit, bucket in buckets.items():
            if bucket.level < 1:
                raise RateLimitError(unit, bucket.limit, bucket.seconds_until(1), _standing(buckets))
        if "requests" in buckets:
            buckets["requests"].level -= 1
        return _standing(buckets)

    def charge(self, key: KeyLimits | None, tokens: int) -> None:
        """Count the tokens of a call that has ended."""
        if key is not None and (bucket := self._of(key).get("tokens")) is not None:
            bucket.level -= tokens

    def _of(self, key: KeyLimits) -> dict[Unit, Bucket]:
        limits: dict[Unit, int | None] = {"requests": key.requests_per_minute, "tokens": key.tokens_per_minute}
        return {unit: self._bucket((key.id, unit), limit) for unit, limit in limits.items() if limit is not None}

    def _bucket(self, place: tuple[uuid.UUID, Unit], limit: int) -> Bucket:
        """The bucket as it is now; a new one where the limit has been changed."""
        now, bucket = self._clock(), self._buckets.get(place)
        if bucket is None or bucket.limit != limit:
            bucket = self._buckets[place] = Bucket(limit, now)
        bucket.fill(now)
        return bucket


class SignInLimitError(BusyError):
    """Somebody has guessed wrong too often."""

    code = "too_many_attempts"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s)
        text = f"There were too many failed attempts; try again in {self.retry_after_s} s."
        self.args, self.message = (text,), text


class SignInLimits:
    """Failed attempts by account: ATTEMPTS at once, then one every MINUTE_S / ATTEMPTS seconds.

    Counted in this process; an attempt that succeeds costs nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def check(self, account: str) -> None:
        """Raises SignInLimitError."""
        bucket = self._buckets.get(account)
        if bucket is None:
            return
        bucket.fill(self._clock())
        if bucket.level >= bucket.limit:
            del self._buckets[account]
        elif bucket.level < 1:
            raise SignInLimitError(bucket.seconds_until(1))

    def fail(self, account: str) -> None:
        """Count a failed attempt."""
        if len(self._buckets) >= MOST_ACCOUNTS:
            self._forget_full()
        self._buckets.setdefault(account, Bucket(ATTEMPTS, self._clock())).level -= 1

    def _forget_full(self) -> None:
        """Those that have filled up again; of the others the oldest half, so that inventing names costs us nothing."""
        for bucket in self._buckets.values():
            bucket.fill(self._clock())
        left = [(name, bucket) for name, bucket in self._buckets.items() if bucket.level < bucket.limit]
        self._buckets = dict(left[-MOST_ACCOUNTS // 2 :])


def _standing(buckets: dict[Unit, Bucket]) -> dict[str, str]:
    headers = {}
    for unit, bucket in buckets.items():
        headers[f"x-ratelimit-limit-{unit}"] = str(bucket.limit)
        headers[f"x-ratelimit-remaining-{unit}"] = str(max(0, math.floor(bucket.level)))
        headers[f"x-ratelimit-reset-{unit}"] = f"{bucket.seconds_until(bucket.limit):.3f}".rstrip("0").rstrip(".") + "s"
    return headers
