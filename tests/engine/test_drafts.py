from assistant.engine.drafts import Draft, PromptLookup, expected
from assistant.engine.speculation import allot
from assistant.engine.step_curve import StepCurve

FLAT = StepCurve({1: 0.1, 2: 0.101, 4: 0.102, 8: 0.104, 16: 0.108, 32: 0.12}, 512, step_s=1.0)
STEEP = StepCurve({1: 0.113, 2: 0.199, 4: 0.307, 8: 0.725, 16: 0.982, 32: 1.74}, 512, step_s=1.74)


def test_what_followed_the_same_tokens_before_is_guessed() -> None:
    draft = PromptLookup().draft([1, 2, 3, 4, 5, 6, 7, 1, 2, 3], 3)
    assert draft is not None
    assert draft.tokens == (4, 5, 6)


def test_nothing_is_guessed_where_nothing_repeats() -> None:
    assert PromptLookup().draft(list(range(50)), 8) is None
    assert PromptLookup().draft([1, 2, 3, 1, 2, 3], 0) is None


def test_the_place_that_agrees_longest_is_taken() -> None:
    tokens = [9, 8, 1, 2, 3, 40, 7, 1, 2, 3, 50, 8, 1, 2, 3]
    draft = PromptLookup().draft(tokens, 1)
    assert draft is not None
    assert draft.tokens == (40,)


def test_longer_agreement_and_right_guesses_raise_the_chance_and_wrong_ones_lower_it() -> None:
    short, long = [5, 1, 2, 3, 4, 6, 1, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7]
    lookup = PromptLookup()
    first, agreeing = lookup.draft(short, 1), PromptLookup().draft(long, 1)
    assert first is not None
    assert agreeing is not None
    assert agreeing.chance > first.chance
    lookup.learn(1, 0)
    wrong = lookup.draft(short, 1)
    lookup.learn(8, 8)
    right = lookup.draft(short, 1)
    assert wrong is not None
    assert right is not None
    assert wrong.chance < first.chance < right.chance


def test_the_index_follows_a_growing_sequence() -> None:
    lookup, tokens = PromptLookup(), [1, 2, 3, 4]
    assert lookup.draft(tokens, 4) is None
    tokens += [9, 1, 2, 3]
    draft = lookup.draft(tokens, 2)
    assert draft is not None
    assert draft.tokens == (4, 9)


def test_expected_guesses_are_those_before_the_first_wrong_one() -> None:
    assert expected(1.0, 5) == 5
    assert expected(0.5, 2) == 0.75


def test_guesses_are_only_checked_where_the_step_curve_rewards_them() -> None:
    unsure, sure = Draft(tuple(range(31)), 0.75), Draft(tuple(range(31)), 0.97)
    assert sum(allot(STEEP, 1, [unsure], 31)) == 0
    assert sum(allot(STEEP, 1, [sure], 31)) == 15
    assert sum(allot(FLAT, 1, [unsure], 31)) > 3
    assert sum(allot(STEEP, 4, [unsure] * 4, 31)) == 0


def test_the_likeliest_guesses_ride_first_and_never_more_than_allowed() -> None:
    counts = allot(FLAT, 2, [Draft((1,) * 31, 0.5), Draft((2,) * 31, 0.95)], 10)
    assert sum(counts) <= 10
    assert counts[1] > counts[0]


def test_a_copy_goes_on_after_a_token_that_was_changed() -> None:
    source = list(range(100, 140))
    lookup = PromptLookup()
    copied = [*source, 7, *source[:10]]
    assert lookup.draft(copied, 2) == Draft((110, 111), 10 / 11)
    lookup.learn(2, 0)
    after = lookup.draft([*copied, 8], 3)
    assert after is not None
    assert after.tokens == (111, 112, 113)
    assert lookup.draft([*copied, 8, 9], 3) is None


def test_a_copy_that_had_only_begun_is_not_taken_to_go_on() -> None:
    source = list(range(100, 140))
    lookup = PromptLookup()
    begun = [*source, 7, *source[:4]]
    assert lookup.draft(begun, 1) is not None
    assert lookup.draft([*begun, 8], 3) is None
