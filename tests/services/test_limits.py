import pytest

from assistant.services.people.limits import KeyLimits, RateLimitError, RateLimits
from codellama_core.ids import uuid7
from tests.fakes import VirtualClock


def test_a_key_without_limits_has_none() -> None:
    limits, key = RateLimits(VirtualClock()), KeyLimits(uuid7())
    for _ in range(1000):
        assert limits.take(key) == limits.take(None) == {}
    limits.charge(key, 10**9)
    limits.charge(None, 10**9)
    assert limits.take(key) == {}


def test_requests_beyond_the_minutes_worth_wait_for_the_bucket_to_fill() -> None:
    clock = VirtualClock()
    limits, key = RateLimits(clock), KeyLimits(uuid7(), requests_per_minute=6)
    standing = [limits.take(key) for _ in range(6)]
    assert [each["x-ratelimit-remaining-requests"] for each in standing] == ["5", "4", "3", "2", "1", "0"]
    assert (standing[-1]["x-ratelimit-limit-requests"], standing[-1]["x-ratelimit-reset-requests"]) == ("6", "60s")
    with pytest.raises(RateLimitError) as caught:
        limits.take(key)
    assert (caught.value.retry_after_s, caught.value.headers["Retry-After"]) == (10, "10")
    clock.advance(10)
    limits.take(key)
    with pytest.raises(RateLimitError):
        limits.take(key)


def test_tokens_are_charged_afterwards_and_paid_back() -> None:
    clock = VirtualClock()
    limits, key = RateLimits(clock), KeyLimits(uuid7(), tokens_per_minute=600)
    assert limits.take(key)["x-ratelimit-remaining-tokens"] == "600"
    limits.charge(key, 900)
    with pytest.raises(RateLimitError, match="600 tokens a minute") as caught:
        limits.take(key)
    assert caught.value.retry_after_s == 31
    assert caught.value.headers["x-ratelimit-remaining-tokens"] == "0"
    clock.advance(31)
    assert limits.take(key)["x-ratelimit-remaining-tokens"] == "10"


def test_a_request_refused_for_its_tokens_does_not_count_as_one() -> None:
    clock = VirtualClock()
    limits, key = RateLimits(clock), KeyLimits(uuid7(), requests_per_minute=2, tokens_per_minute=60)
    limits.charge(key, 61)
    for _ in range(5):
        with pytest.raises(RateLimitError):
            limits.take(key)
    clock.advance(2)
    assert limits.take(key)["x-ratelimit-remaining-requests"] == "1"


def test_keys_do_not_share_and_a_bucket_never_holds_more_than_a_minutes_worth() -> None:
    clock = VirtualClock()
    limits, one, other = RateLimits(clock), KeyLimits(uuid7(), 1), KeyLimits(uuid7(), 1)
    clock.advance(3600)
    for key in (one, other):
        limits.take(key)
        with pytest.raises(RateLimitError):
            limits.take(key)


def test_a_changed_limit_holds_at_once() -> None:
    limits, identity = RateLimits(VirtualClock()), uuid7()
    limits.take(KeyLimits(identity, 1))
    assert limits.take(KeyLimits(identity, 100))["x-ratelimit-remaining-requests"] == "99"
