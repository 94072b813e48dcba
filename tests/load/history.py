"""Search, and opening a long conversation, on a database of a million messages.

    python -m tests.load.history --messages 1000000 [--keep FOLDER]

Filling takes minutes; with ``--keep`` a second run measures the same database again. Two hundred people, one of whom
wrote a tenth of everything; three years; words by Zipf's law. All is asked through the services, so snippets and the
database's round trips count. The mix has a word of 30 % of all messages, and one that was as common but only long ago.
The worst cases follow it one by one: the beginning of such a faded word, and a phrase of two common words that nobody
wrote.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

from assistant.services.database import Database
from assistant.services.history import conversations, search, threads
from codellama_core.ids import uuid7
from codellama_core.search import mark, vector
from tests.load.report import percentile
from tests.load.servers import embedded_database

USERS: Final = 200
TEXTS: Final = 4000
VOCABULARY: Final = 30_000
SYLLABLES: Final = [first + second for first in "bcdfghklmnprstvw" for second in ("a", "e", "i", "or", "un")]
TURNS: Final = 20
LONG: Final = 1000
SPAN: Final = timedelta(days=36 * 30)
COMMON: Final = "function"
FADED: Final = "mainframe"
WORDS: Final = {
    "rare": "needle{n} ",
    "absent": "nowhere{n} ",
    "common (30 %)": f"{COMMON} ",
    "common long ago (30 % of older)": f"{FADED} ",
    "two words": f"{COMMON} {{word}} ",
    "two common words": f"{COMMON} ba bi ",
    "identifier": "parse_token_stream",
    "phrase": '"parse token stream"',
    "beginning, common": "func",
    "beginning of many words": "bun",
    "beginning, rare": "needle{n}7",
}
"""The mix: rare and common words, finished or not, each as often."""
WORST: Final = {
    "beginning, common long ago": FADED[:5],
    "phrase of common words, absent": f'"{COMMON} ba {COMMON}"',
}


@dataclass(frozen=True, slots=True)
class Filled:
    heavy: uuid.UUID
    light: uuid.UUID
    long: uuid.UUID


def texts(rng: random.Random) -> list[str]:
    """Texts of 20 to 150 words; the n-th word of the vocabulary is used 1/n times as often as the first."""
    words = [_word(number) for number in range(VOCABULARY)]
    weights = list(itertools.accumulate(1 / (number + 2) for number in range(VOCABULARY)))
    made = []
    for number in range(TEXTS):
        chosen = rng.choices(words, cum_weights=weights, k=rng.randint(20, 150))
        if number % 10 < 3:
            chosen.insert(rng.randrange(len(chosen)), COMMON)
        if number % 200 == 0:
            chosen.append("parse_token_stream(tokens)")
        made.append(" ".join(chosen))
    return made


def _word(number: int) -> str:
    """Syllables: many words begin alike, as they do in languages."""
    word = ""
    while number or not word:
        number, place = divmod(number, len(SYLLABLES))
        word += SYLLABLES[place]
    return word


def fill(connection: "psycopg.Connection[Any]", messages: int, seed: int = 1) -> None:
    """Rows in the order of time, as they come in life; the indexes are made afterwards."""
    rng = random.Random(seed)
    people = [uuid7() for _ in range(USERS)]
    pool = texts(rng)
    connection.execute("SET session_replication_role = replica")  # no foreign keys to check
    connection.execute("DROP INDEX ix_message_search_words")
    with connection.cursor().copy("COPY users (id, email, name, role) FROM STDIN") as copy:
        for number, person in enumerate(people):
            copy.write_row((person, f"{number}@example.org", f"User {number}", "member"))
    rows = list(_rows(rng, people, messages))
    _copy_conversations(connection, rows)
    _copy_messages(connection, rows, pool)
    _copy_search(connection, rows, pool)
    print("making the index", flush=True)
    connection.execute("SET maintenance_work_mem = '512MB'")
    connection.execute("SET max_parallel_maintenance_workers = 0")
    connection.execute(
        "CREATE INDEX ix_message_search_words ON message_search USING gin (words) WITH (fastupdate = off)"
    )


def filled(connection: "psycopg.Connection[Any]") -> Filled | None:
    """Whom and what to measure in a database that is filled, None in an empty one."""
    people = "SELECT id FROM users WHERE email = ANY('{0@example.org,1@example.org}') ORDER BY email"
    longest = "SELECT conversation_id FROM messages GROUP BY conversation_id ORDER BY count(*) DESC, 1 LIMIT 1"
    found = [row[0] for query in (people, longest) for row in connection.execute(query)]
    return Filled(*found) if found else None


@dataclass(frozen=True, slots=True)
class Row:
    """A message: ``turn`` counts within its conversation, ``number`` within everything."""

    id: uuid.UUID
    conversation: uuid.UUID
    parent: uuid.UUID | None
    owner: uuid.UUID
    turn: int
    number: int
    at: datetime
    ago: float


def _rows(rng: random.Random, people: list[uuid.UUID], messages: int) -> Iterator[Row]:
    begin = datetime.now(UTC) - SPAN
    current: dict[uuid.UUID, Row] = {}
    for number in range(messages):
        owner = people[0] if rng.random() < 0.1 else people[rng.randrange(1, USERS)]
        last = current.get(owner)
        length = LONG if owner == people[0] and number < messages * 0.2 else TURNS
        if last is None or last.turn >= length - 1:
            conversation, parent, turn = uuid7(), None, 0
        else:
            conversation, parent, turn = last.conversation, last.id, last.turn + 1
        ago = number / messages
        current[owner] = Row(uuid7(), conversation, parent, owner, turn, number, begin + SPAN * ago, ago)
        yield current[owner]


def _copy_conversations(connection: "psycopg.Connection[Any]", rows: list[Row]) -> None:
    with connection.cursor().copy("COPY conversations (id, user_id, title, created_at, updated_at) FROM STDIN") as copy:
        for row in rows:
            if row.turn == 0:
                copy.write_row((row.conversation, row.owner, f"Conversation {row.number}", row.at, row.at))


def _content(row: Row, pool: list[str]) -> str:
    content = pool[row.number * 7919 % TEXTS]
    if row.ago < 0.6 and row.number % 10 < 3:
        content += f" {FADED}"
    return content + (f" needle{row.number}" if row.number % 50 == 0 else "")


def _copy_messages(connection: "psycopg.Connection[Any]", rows: list[Row], pool: list[str]) -> None:
    columns = "id, conversation_id, parent_id, author, content, status, created_at, finished_at"
    with connection.cursor().copy(f"COPY messages ({columns}) FROM STDIN") as copy:
        for row in rows:
            author = "assistant" if row.turn % 2 else "user"
            content = _content(row, pool)
            copy.write_row((row.id, row.conversation, row.parent, author, content, "done", row.at, row.at))


def _copy_search(connection: "psycopg.Connection[Any]", rows: list[Row], pool: list[str]) -> None:
    """Vectors of the texts are made once, then given other owners and months."""
    anybody, now = uuid.UUID(int=0), datetime.now(UTC)
    made: dict[str, str] = {}
    with connection.cursor().copy("COPY message_search (message_id, user_id, created_at, words) FROM STDIN") as copy:
        for row in rows:
            content = _content(row, pool)
            needle = row.number % 50 == 0
            words = vector(anybody, now, content) if needle else made.get(content) or vector(anybody, now, content)
            if not needle:
                made[content] = words
            others = words.split(" ", 1)[1].replace(f"'{mark(anybody)}", f"'{mark(row.owner)}")
            copy.write_row((row.id, row.owner, row.at, f"{vector(row.owner, row.at)} {others}"))


async def measure(url: str, of: Filled, rounds: int) -> None:
    database = Database(url)
    try:
        for share, user in (("a tenth", of.heavy), ("a two hundredth", of.light)):
            print(f"\nsomebody who wrote {share} of all messages")
            times = [
                await report(name, rounds, partial(_search, database, user, query)) for name, query in WORDS.items()
            ]
            print(_line("the mix: all of these", [time for each in times for time in each]), flush=True)
            for name, query in WORST.items():
                await report(name, rounds, partial(_search, database, user, query))
        print("\nconversations")
        await report("the end of the longest one", rounds, lambda n: _open(database, of))
        await report("all of my conversations, first page", rounds, lambda n: _list(database, of.heavy))
    finally:
        await database.close()


async def _search(database: Database, user: uuid.UUID, query: str, n: int) -> int:
    asked = query.format(n=n * 50, word=_word(1000 + n))
    async with database.session() as session:
        return len(await search.find(session, user, asked, None, 20))


async def _open(database: Database, of: Filled) -> int:
    async with database.session() as session:
        thread = await threads.window(session, of.heavy, of.long, threads.Window(200))
        return len(thread.views)


async def _list(database: Database, user: uuid.UUID) -> int:
    async with database.session() as session:
        return len(await conversations.list_of(session, user, conversations.Filter(), None, 50))


async def report(name: str, rounds: int, ask: Callable[[int], Awaitable[int]]) -> list[float]:
    """Ask again and again; the times in milliseconds."""
    await ask(0)
    times, found = [], 0
    for n in range(1, rounds + 1):
        started = time.perf_counter()
        found = max(found, await ask(n))
        times.append((time.perf_counter() - started) * 1e3)
    print(f"{_line(name, times)}   up to {found} rows", flush=True)
    return times


def _line(name: str, times: list[float]) -> str:
    return f"  {name:34} p50 {statistics.median(times):7.1f} ms   p95 {percentile(times, 0.95):7.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=50, help="how often each query is asked")
    parser.add_argument("--keep", type=Path, help="where the database stays; it is filled once")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        url = stack.enter_context(embedded_database(folder, keep=arguments.keep is not None))
        with psycopg.connect(url) as connection:
            of = filled(connection) or _made(connection, arguments.messages)
            _print_sizes(connection)
        asyncio.run(measure(url, of, arguments.rounds))


def _made(connection: "psycopg.Connection[Any]", messages: int) -> Filled:
    started = time.monotonic()
    fill(connection, messages)
    connection.commit()
    connection.autocommit = True
    for table in ("conversations", "messages", "message_search"):
        connection.execute(f"VACUUM ANALYZE {table}")
    print(f"{messages} messages in {time.monotonic() - started:.0f} s on {os.cpu_count()} CPUs")
    of = filled(connection)
    assert of is not None
    return of


def _print_sizes(connection: "psycopg.Connection[Any]") -> None:
    for table in ("messages", "message_search", "ix_message_search_words"):
        size = connection.execute("SELECT pg_total_relation_size(%s::regclass)", [table]).fetchone()
        print(f"{table}: {size[0] / 2**20:.0f} MiB" if size else "")


if __name__ == "__main__":
    main()
