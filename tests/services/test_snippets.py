import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.services.history.snippets import LENGTH, excerpt, highlights
from codellama_core.search import terms


def marked(text: str, query: str) -> list[str]:
    found = excerpt(text, terms(query))
    return [found.text[start:end] for start, end in found.ranges]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("call snake_case_name(x)", "snake_case_name", ["snake_case_name"]),
        ("call snake_case_name(x)", "case ", ["case"]),
        ("class CamelCase", "camelcase ", ["CamelCase"]),
        ("class CamelCase", "case ", ["Case"]),
        ("x = foo.bar()", "foo.bar()", ["foo.bar"]),
        ("interpolation interp", "interp", ["interp", "interp"]),
        ("interpolation interp", "interp ", ["interp"]),
        ("quoted phrases, phrases quoted", '"quoted phrases"', ["quoted phrases"]),
        ("über Öl und öl", "ÖL ", ["Öl", "öl"]),
        ("nothing here", "absent ", []),
        ("a+b (c)", "(c)", ["c"]),
    ],
)
def test_what_was_looked_for_is_marked(text: str, query: str, expected: list[str]) -> None:
    assert marked(text, query) == expected


def test_a_snippet_is_cut_around_the_first_match() -> None:
    text = "word " * 1000 + "needle" + " word" * 1000
    found = excerpt(text, terms("needle"))
    assert len(found.text) <= LENGTH
    assert found.text.startswith("word")
    assert [found.text[start:end] for start, end in found.ranges] == ["needle"]


def test_without_a_match_it_is_the_beginning() -> None:
    assert excerpt("the beginning " * 50, terms("absent")).text.startswith("the beginning")
    assert highlights("A title", terms("title")) == ((2, 7),)


@given(st.text(max_size=500), st.text(min_size=1, max_size=20))
def test_ranges_lie_in_the_snippet_in_order(text: str, query: str) -> None:
    found = excerpt(text, terms(query)) if terms(query) else excerpt(text, terms("x"))
    assert len(found.text) <= LENGTH
    places = [place for each in found.ranges for place in each]
    assert places == sorted(places)
    assert all(0 <= place <= len(found.text) for place in places)
