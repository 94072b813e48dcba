import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from assistant.services import retention
from assistant.services.database import Database
from assistant.services.retention import Retention
from codellama_core.database import plain_url
from codellama_core.ids import uuid7

NOW = datetime.now(UTC)
CALLS = [
    ("/v1/chat/completions", None, 29),
    ("/v1/chat/completions", None, 31),
    ("/infill", True, 29),
    ("/infill", True, 31),
    ("/infill", None, 0),
    ("/infill", None, 2),
    ("/infill (reading ahead)", None, 2),
]
ROW = (
    "INSERT INTO api_interactions (id, user_id, endpoint, prompt, parameters, response, finish_reason, accepted,"
    " prompt_tokens, completion_tokens, duration_s, created_at)"
    " VALUES (%s, %s, %s, '{}', '{}', '', 'stop', %s, 1, 1, 0.1, %s)"
)


@pytest.mark.parametrize(
    ("days", "kept"),
    [
        (30, [("/infill", 0), ("/infill", 29), ("/v1/chat/completions", 29)]),
        (
            0,
            [
                ("/infill", 0),
                ("/infill", 29),
                ("/infill", 31),
                ("/v1/chat/completions", 29),
                ("/v1/chat/completions", 31),
            ],
        ),
    ],
)
def test_calls_are_kept_for_their_time_and_autocompletes_only_when_taken(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch, days: int, kept: list[tuple[str, int]]
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    user = uuid7()

    async def purge() -> int:
        database = Database(fresh_database_url)
        try:
            return await Retention(database, days).purge()
        finally:
            await database.close()

    with psycopg.connect(plain_url(fresh_database_url), autocommit=True) as connection:
        connection.execute("INSERT INTO users (id, email, name, role) VALUES (%s, 'a@b.c', 'A', 'member')", [user])
        for endpoint, accepted, age in CALLS:
            connection.execute(ROW, [uuid7(), user, endpoint, accepted, NOW - timedelta(days=age, minutes=1)])
        assert asyncio.run(purge()) == len(CALLS) - len(kept)
        rows = connection.execute("SELECT endpoint, created_at FROM api_interactions").fetchall()
    assert sorted((endpoint, (NOW - created).days) for endpoint, created in rows) == kept
