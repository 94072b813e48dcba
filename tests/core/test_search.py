import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codellama_core.database import plain_url
from codellama_core.search import MAX_INDEXED, terms, tsquery, vector, week_of, week_word

Connection = psycopg.Connection[tuple[bool]]
OWNER = uuid.UUID("0198c0de-0000-7000-8000-00000000abcd")
OTHER = uuid.UUID("0198c0de-0000-7000-8000-00000000abce")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def connection(postgres_url: str) -> Iterator[Connection]:
    with psycopg.connect(plain_url(postgres_url), autocommit=True) as connection:
        yield connection


def matches(connection: Connection, text: str, query: str, *more: str) -> bool:
    asked = " & ".join([tsquery(OWNER, terms(query)), *more])
    row = connection.execute("SELECT %s::tsvector @@ %s::tsquery", [vector(OWNER, NOW, text), asked]).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("call snake_case_name here", "snake_case_name"),
        ("call snake_case_name here", "case"),
        ("call snake_case_name here", "case_name"),
        ("call snake_case_name here", "SnakeCaseName "),
        ("class CamelCase:", "CamelCase"),
        ("class CamelCase:", "camelcase "),
        ("class CamelCase:", "camel_case "),
        ("class CamelCase:", "case "),
        ("an HTTPServer runs", "server "),
        ("an HTTPServer runs", "http server "),
        ("x = foo.bar()", "foo.bar()"),
        ("x = foo.bar()", "bar "),
        ("x = foo.bar.baz()", "bar.baz()"),
        ("import src/date_tools.py", "date_tools "),
        ("import src/date_tools.py", "src/date_tools.py "),
        ("we read quoted phrases", '"quoted phrases"'),
        ("prefix of interpolation", "interp"),
        ("def parse_token_stream(x)", "parse_tok"),
        ("def parseTokenStream(x)", "parsetok"),
        ("Die Straße führt über Öl", "STRASSE"[:4]),
        ("Die Straße führt über Öl", "ÜBER "),
        ("Größe", "größe "),
        ("one two", "two one "),
        ("load files by fi.x", '"load fi'),
        ("3.14 is pi", "3.14"),
    ],
)
def test_is_found(connection: Connection, text: str, query: str) -> None:
    assert matches(connection, text, query)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("we read phrases quoted", '"quoted phrases"'),
        ("interpolation", "interp "),
        ("interpolation", "polation"),
        ("one two", "one three"),
        ("name_case", "case_name "),
    ],
)
def test_is_not_found(connection: Connection, text: str, query: str) -> None:
    assert not matches(connection, text, query)


def test_no_phrase_goes_from_the_title_into_the_message(connection: Connection) -> None:
    asked = tsquery(OWNER, terms('"about dates parse"'))
    both = vector(OWNER, NOW, "About dates", "parse them")
    assert connection.execute("SELECT %s::tsvector @@ %s::tsquery", [both, asked]).fetchone() == (False,)


def test_words_are_their_owners(connection: Connection) -> None:
    asked = tsquery(OTHER, terms("secret"))
    row = connection.execute("SELECT %s::tsvector @@ %s::tsquery", [vector(OWNER, NOW, "secret"), asked]).fetchone()
    assert row == (False,)


def test_a_week_is_the_same_in_every_time_zone(connection: Connection) -> None:
    saturday = datetime(2026, 1, 31, 12, tzinfo=UTC)
    late = datetime(2026, 2, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert week_of(late) == week_of(saturday) == week_of(saturday + timedelta(days=1)) - 1
    assert matches(connection, "word", "word", week_word(OWNER, week_of(late)))
    assert not matches(connection, "word", "word", week_word(OWNER, week_of(late) - 1))


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300))
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_found_by_itself(connection: Connection, text: str) -> None:
    assert matches(connection, text, text) == bool(terms(text))


@pytest.mark.parametrize("letters", ["ab", "\U00020000\U00020001"])
def test_the_longest_text_of_different_words_can_be_kept(connection: Connection, letters: str) -> None:
    first = ord(letters[0])
    words = (chr(first + n % 150) + chr(first + n // 150) for n in range(MAX_INDEXED))
    text = "".join(word + (" ", ".")[n % 2] for n, word in enumerate(words))
    row = connection.execute("SELECT pg_column_size(%s::tsvector)", [vector(OWNER, NOW, text * 2)]).fetchone()
    assert row is not None
