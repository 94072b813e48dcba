import pytest

from assistant.engine.model import Copy, KvOp, Truncate
from assistant.engine.prefix_cache import PrefixCache, common_prefix


def filled(cache: PrefixCache, tokens: list[int]) -> int:
    """A live sequence with all of ``tokens`` in cells."""
    seq_id, have = cache.acquire(tokens, [])
    cache.cells.extend(seq_id, len(tokens) - have)
    return seq_id


@pytest.mark.parametrize(
    ("a", "b", "length"),
    [([], [1], 0), ([1, 2, 3], [1, 2, 3], 3), ([1, 2, 3], [1, 2, 4, 5], 2), ([2], [1], 0), ([1] * 100, [1] * 63, 63)],
)
def test_the_common_prefix_is_the_longest(a: list[int], b: list[int], length: int) -> None:
    assert common_prefix(a, b) == common_prefix(b, a) == length


def test_the_next_turn_goes_on_in_the_sequence_of_the_last() -> None:
    cache = PrefixCache(4, 100)
    first = filled(cache, list(range(20)))
    cache.release(first, [])
    ops: list[KvOp] = []
    assert cache.acquire([*range(18), 50, 51], ops) == (first, 18)
    assert ops == [Truncate(first, 18)]


def test_a_short_common_prefix_is_shared_and_the_idle_tail_kept() -> None:
    cache = PrefixCache(4, 100)
    first = filled(cache, list(range(40)))
    cache.release(first, [])
    ops: list[KvOp] = []
    second, have = cache.acquire([*range(10), 99, 98], ops)
    assert have == 10
    assert ops == [Copy(first, second, 10)]
    assert cache.match([*range(40), 77]) is not None
    assert cache.cells.free == 60


def test_a_live_sequence_shares_what_it_has_computed() -> None:
    cache = PrefixCache(4, 100)
    first = filled(cache, list(range(20)))
    ops: list[KvOp] = []
    second, have = cache.acquire([*range(20), 50], ops)
    assert (have, ops) == (20, [Copy(first, second, 20)])


def test_one_token_of_a_prompt_is_always_left_to_compute() -> None:
    cache = PrefixCache(4, 100)
    filled(cache, list(range(20)))
    assert cache.acquire(list(range(20)), [])[1] == 19


def test_the_prefix_unused_longest_is_dropped_first() -> None:
    cache = PrefixCache(3, 100)
    for start in (0, 10, 20):
        cache.release(filled(cache, list(range(start, start + 10))), [])
    ops: list[KvOp] = []
    fresh, have = cache.acquire([99, 98], ops)
    assert (fresh, have, ops) == (0, 0, [Truncate(0, 0)])
    assert cache.match([*range(10), 1]) is None
    assert cache.match([*range(10, 20), 1]) is not None


def test_an_idle_prefix_of_a_longer_one_is_not_kept_twice() -> None:
    cache = PrefixCache(4, 100)
    short = filled(cache, list(range(10)))
    long = filled(cache, list(range(15)))
    cache.release(short, [])
    cache.release(long, [])
    assert cache.idle_count == 1
    assert cache.cells.free == 85


def test_everything_dropped_leaves_every_cell_free() -> None:
    cache = PrefixCache(4, 100)
    for start in (0, 10, 20):
        cache.release(filled(cache, list(range(start, start + 10))), [])
    while cache.drop_oldest([]):
        pass
    assert cache.cells.free == 100


def test_only_the_tail_of_a_prefix_goes_when_few_cells_are_needed() -> None:
    cache = PrefixCache(4, 100)
    cache.release(filled(cache, list(range(90))), [])
    ops: list[KvOp] = []
    assert cache.shrink_oldest(1, ops)
    match = cache.match(list(range(90)))
    assert match is not None
    assert ops == [Truncate(match.seq_id, match.length)]
    assert cache.cells.free == 100 - match.length > 10
    while cache.shrink_oldest(1, ops):
        pass
    assert cache.cells.free == 100
