import asyncio
from pathlib import Path

import psycopg

from assistant.services.calls.acceptance import OFFERS_KEPT, Offers
from assistant.services.database import Database
from assistant.services.spool import Spool
from codellama_core.database import plain_url
from codellama_core.ids import uuid7

ADA, BOB = uuid7(), uuid7()
PREFIX = "import os\n\n\ndef name():\n    return "


def test_text_that_a_later_prefix_carries_in_its_place_was_taken_once() -> None:
    offers, record = Offers(), uuid7()
    offers.add(ADA, record, PREFIX, "os.name\n")
    assert offers.taken(ADA, PREFIX) == []
    assert offers.taken(ADA, PREFIX + "os.na") == []
    assert offers.taken(ADA, PREFIX + "os.name\nprint(") == [record]
    assert offers.taken(ADA, PREFIX + "os.name\nprint(") == []


def test_a_window_that_has_moved_on_still_shows_it() -> None:
    offers, record = Offers(), uuid7()
    offers.add(ADA, record, "first line\n" * 50 + PREFIX, "os.name")
    assert offers.taken(ADA, "first line\n" * 9 + PREFIX + "os.name\n") == [record]


def test_another_persons_text_and_the_same_text_elsewhere_do_not_count() -> None:
    offers = Offers()
    offers.add(ADA, uuid7(), PREFIX, "os.name")
    assert offers.taken(BOB, PREFIX + "os.name") == []
    assert offers.taken(ADA, "other = os.name") == []


def test_what_was_there_before_and_what_is_blank_is_no_offer() -> None:
    offers = Offers()
    offers.add(ADA, uuid7(), "x" * 200, "x")
    offers.add(ADA, uuid7(), PREFIX, "\n  ")
    assert offers.taken(ADA, "x" * 300) == []
    assert offers.taken(ADA, PREFIX + "\n  ") == []


def test_only_the_last_few_are_remembered() -> None:
    offers, records = Offers(), [uuid7() for _ in range(OFFERS_KEPT + 1)]
    for number, record in enumerate(records):
        offers.add(ADA, record, PREFIX, f"name_{number:02}")
    assert offers.taken(ADA, PREFIX + "name_00") == []
    assert offers.taken(ADA, PREFIX + "name_01") == [records[1]]


def test_an_acceptance_waits_behind_the_row_that_it_changes_while_the_database_is_away(
    fresh_database_url: str, tmp_path: Path
) -> None:
    user, record = uuid7(), uuid7()
    row = {
        "id": record, "user_id": user, "endpoint": "/infill", "prompt": {}, "parameters": {}, "response": "x",
        "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1, "duration_s": 0.1,
    }  # fmt: skip

    async def play() -> None:
        away, back = Database("postgresql://nobody@127.0.0.1:1/none"), Database(fresh_database_url)
        await Spool(away, tmp_path).write("interaction", row)
        spool = Spool(back, tmp_path)
        await spool.write("acceptance", {"id": record, "accepted": True})
        assert spool.pending == 2
        await spool.replay()
        assert spool.pending == 0
        await away.close()
        await back.close()

    with psycopg.connect(plain_url(fresh_database_url), autocommit=True) as database:
        database.execute("INSERT INTO users (id, email, name, role) VALUES (%s, 'a@b.c', 'A', 'member')", [user])
        asyncio.run(play())
        assert database.execute("SELECT id, accepted FROM api_interactions").fetchall() == [(record, True)]
