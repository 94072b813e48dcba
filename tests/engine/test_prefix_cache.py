import pytest

from assistant.engine.model import Copy, KvCosts, KvOp, Owner, Restore, Save, Truncate
from assistant.engine.prefix_cache import LEAST_SAVED, Held, PrefixCache
from assistant.engine.prefixes import Stored, common_prefix


def filled(cache: PrefixCache, tokens: list[int]) -> int:
    """A live sequence with all of ``tokens`` in cells."""
    seq_id, have = cache.acquire(Held(tokens), [])
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
    assert cache.acquire(Held([*range(18), 50, 51]), ops) == (first, 18)
    assert ops == [Truncate(first, 18)]


def test_a_short_common_prefix_is_shared_and_the_idle_tail_kept() -> None:
    cache = PrefixCache(4, 100)
    first = filled(cache, list(range(40)))
    cache.release(first, [])
    ops: list[KvOp] = []
    second, have = cache.acquire(Held([*range(10), 99, 98]), ops)
    assert have == 10
    assert ops == [Copy(first, second, 10)]
    assert cache.match(Held([*range(40), 77])) is not None
    assert cache.cells.free == 60


def test_a_live_sequence_shares_what_it_has_computed() -> None:
    cache = PrefixCache(4, 100)
    first = filled(cache, list(range(20)))
    ops: list[KvOp] = []
    second, have = cache.acquire(Held([*range(20), 50]), ops)
    assert (have, ops) == (20, [Copy(first, second, 20)])


def test_one_token_of_a_prompt_is_always_left_to_compute() -> None:
    cache = PrefixCache(4, 100)
    filled(cache, list(range(20)))
    assert cache.acquire(Held(list(range(20))), [])[1] == 19


def test_the_prefix_unused_longest_is_dropped_first() -> None:
    cache = PrefixCache(3, 100)
    for start in (0, 10, 20):
        cache.release(filled(cache, list(range(start, start + 10))), [])
    ops: list[KvOp] = []
    fresh, have = cache.acquire(Held([99, 98]), ops)
    assert (fresh, have, ops) == (0, 0, [Truncate(0, 0)])
    assert cache.match(Held([*range(10), 1])) is None
    assert cache.match(Held([*range(10, 20), 1])) is not None


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
    match = cache.match(Held(list(range(90))))
    assert match is not None
    assert ops == [Truncate(match.seq_id, match.length)]
    assert cache.cells.free == 100 - match.length > 10
    while cache.shrink_oldest(1, ops):
        pass
    assert cache.cells.free == 100


def test_a_prefix_is_shared_within_a_scope_and_its_public_part_with_everybody() -> None:
    cache = PrefixCache(4, 100)
    ann, bob = Owner(None, "ann"), Owner(None, "bob")
    seq_id, _ = cache.acquire(Held(list(range(30)), ann, public=10), [])
    cache.cells.extend(seq_id, 30)
    for _ in range(2):  # while it is live, and when it is idle
        for owner, public, length in ((ann, 0, 30), (bob, 20, 10), (bob, 5, 5)):
            match = cache.match(Held([*range(30), 1], owner, public))
            assert match is not None
            assert match.length == length
        assert cache.match(Held([*range(30), 1], bob)) is None
        assert cache.match(Held([*range(30), 1], Owner("tuned", "ann"), 30)) is None
        if seq_id in cache._live:
            cache.release(seq_id, [])


def test_an_idle_prefix_stays_until_it_has_cost_what_moving_it_costs() -> None:
    steps = {}
    for pieces in (1, 50):
        cache = PrefixCache(2, 300, saving=True, costs=KvCosts(held=0.001, moved=0.02, pieces=0.1))
        prompt = Held(list(range(100)))
        seq_id, _ = cache.acquire(prompt, [])
        cache.cells.extend(seq_id, 100)
        prompt.pieces = pieces
        cache.release(seq_id, [])
        ops: list[KvOp] = []
        while not ops:
            cache.drop_costly(ops)
            steps[pieces] = cache._steps
    # 0.1 s a step; to move it takes 2 s, and 0.1 s for each piece
    assert steps == {1: 22, 50: 71}


def test_what_is_evicted_is_saved_once_and_before_it_goes() -> None:
    cache = PrefixCache(2, 300, saving=True)
    long, short = list(range(200)), list(range(500, 500 + LEAST_SAVED - 1))
    ann = Owner(None, "ann")
    first, _ = cache.acquire(Held(list(long), ann, 3), [])
    cache.cells.extend(first, 200)
    cache.release(first, [])
    ops: list[KvOp] = []
    while cache.shrink_oldest(1, ops):
        pass
    assert ops[0] == Save(first, ann, 3, tuple(long))
    assert not any(isinstance(op, Save) for op in ops[1:])
    cache.release(filled(cache, short), [])
    ops.clear()
    cache.drop_oldest(ops)
    assert not any(isinstance(op, Save) for op in ops), "it is not worth it"


def test_a_saved_prefix_is_restored_into_free_cells_and_cut_to_what_fits() -> None:
    cache = PrefixCache(2, 200, saving=True)
    cache.release(filled(cache, list(range(1000, 1150))), [])
    ops: list[KvOp] = []
    seq_id, have = cache.acquire(Held([*range(80), 7]), ops, Stored(entry=5, length=80, size=100))
    assert have == 80
    restored = ops.index(Restore(seq_id, 5))
    assert ops[restored + 1] == Truncate(seq_id, 80)
    assert any(isinstance(op, Save) for op in ops[:restored]), "room was made first"
    assert cache.cells.free + cache.cells.idle + 80 == 200
