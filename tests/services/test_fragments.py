from hypothesis import given
from hypothesis import strategies as st

from assistant.services.calls.fragments import CONTROL_TOKENS, EXTRA_SHARE, Fragment, fit
from assistant.services.generators.types import InfillPrompt, Prompt, TextPrompt
from codellama_core.prompt import ContextFile, context_text

LIMIT = 1000


def count(prompt: Prompt) -> int:
    """A token a character, and the control tokens of an infill."""
    if isinstance(prompt, InfillPrompt):
        return len(context_text(prompt.extra)) + len(prompt.prefix) + len(prompt.suffix) + 4
    assert isinstance(prompt, TextPrompt)
    return len(prompt.text) + 1


def lines(number: int, name: str = "line") -> str:
    return "".join(f"{name} {index:04}\n" for index in range(number))


def test_what_fits_is_left_alone() -> None:
    fragment = Fragment(lines(20), "here", lines(5), (ContextFile("x", "a.py"),))
    assert fit(fragment, LIMIT, count) == (fragment.prompt, False)


def test_extra_code_goes_before_anything_around_the_cursor_and_the_oldest_first() -> None:
    extra = tuple(ContextFile(f"{number}" * 90) for number in range(9))
    fragment = Fragment(lines(40), "here", lines(20))
    prompt, truncated = fit(Fragment(fragment.before, "here", fragment.after, extra), LIMIT, count)
    assert truncated
    assert (prompt.prefix, prompt.suffix) == (fragment.prompt.prefix, fragment.prompt.suffix)
    assert prompt.extra == extra[-2:]


def test_extra_code_is_the_same_with_and_without_what_stands_around_the_cursor() -> None:
    extra = tuple(ContextFile(f"{number}" * 60) for number in range(9))
    warm, _ = fit(Fragment("", "", "", extra), LIMIT, count)
    asked, _ = fit(Fragment(lines(30), "here", lines(10), extra), LIMIT, count)
    assert warm.extra == asked.extra != ()


def test_the_end_of_the_prefix_and_the_beginning_of_the_suffix_survive() -> None:
    prompt, truncated = fit(Fragment(lines(500), "here", lines(500)), LIMIT, count)
    assert truncated
    assert prompt.prefix.endswith("line 0499\nhere")
    assert prompt.suffix.startswith("line 0000\nline 0001\n")
    assert prompt.prefix.startswith("line ")
    assert prompt.suffix.endswith("\n")
    assert len(prompt.prefix) > LIMIT / 3
    assert len(prompt.suffix) > LIMIT / 6


def test_typing_does_not_move_the_place_where_the_prefix_is_cut() -> None:
    typed = "value = compute(1, 2, 3)"
    starts = {fit(Fragment(lines(500), typed[:end], lines(9)), LIMIT, count)[0].prefix[:9] for end in range(len(typed))}
    assert len(starts) == 1


def test_a_line_that_is_longer_than_everything_keeps_its_end() -> None:
    prompt, truncated = fit(Fragment("before\n", "a" * 5000 + "b", "after"), LIMIT, count)
    assert truncated
    assert prompt.prefix.endswith("aaab")
    assert prompt.suffix == "after"


@given(
    st.text(max_size=3000), st.text(max_size=600), st.text(max_size=3000), st.lists(st.text(max_size=300), max_size=9)
)
def test_the_prompt_always_fits(before: str, line: str, after: str, extra: list[str]) -> None:
    fragment = Fragment(before, line, after, tuple(ContextFile(text) for text in extra))
    prompt, truncated = fit(fragment, LIMIT, count)
    assert count(prompt) <= LIMIT
    assert truncated == (prompt != fragment.prompt)
    assert len(context_text(prompt.extra)) <= LIMIT / EXTRA_SHARE
    assert (before + line).endswith(prompt.prefix)
    assert after.startswith(prompt.suffix)
    if len(before + line + after) + CONTROL_TOKENS + 3 <= LIMIT:
        assert (prompt.prefix, prompt.suffix) == (before + line, after)
