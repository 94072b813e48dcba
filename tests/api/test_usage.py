from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg

from codellama_core.database import plain_url
from tests.servers import Backend

CALL = (
    "INSERT INTO api_interactions (id, user_id, endpoint, prompt, parameters, response, finish_reason, prompt_tokens, "
    "completion_tokens, time_to_first_token_s, duration_s, created_at) "
    "SELECT gen_random_uuid(), id, '/v1/completions', '{}', '{}', '', 'stop', 10, 5, %s, 1, %s FROM users LIMIT 1"
)


def test_every_day_has_its_figures_also_the_quiet_ones(fresh_database_url: str, tmp_path: Path) -> None:
    with Backend(tmp_path, fresh_database_url, None, ENGINE="mock") as backend, backend.client() as client:
        client.get("/api/me")
        now = datetime.now(UTC)
        with psycopg.connect(plain_url(fresh_database_url), autocommit=True) as database:
            for wait in (0.1, 0.3):
                database.execute(CALL, [wait, now - timedelta(days=2)])
            database.execute(CALL, [1.0, now - timedelta(days=40)])
        days = client.get("/api/admin/usage", params={"days": 3}).json()["days"]
        assert [day["day"] for day in days] == [str((now - timedelta(days=back)).date()) for back in (2, 1, 0)]
        busy, quiet, _ = days
        assert (busy["people"], busy["api_calls"], busy["chat_answers"]) == (1, 2, 0)
        assert (busy["prompt_tokens"], busy["completion_tokens"]) == (20, 10)
        assert busy["first_token_p50_s"] == 0.2
        assert quiet == {**quiet, "people": 0, "api_calls": 0, "first_token_p50_s": None}
        assert answered_in_chat(client)


def answered_in_chat(client: httpx.Client) -> bool:
    conversation = client.post("/api/conversations", json={}).json()["id"]
    message = client.post(f"/api/conversations/{conversation}/messages", json={"content": "Hello"}).json()
    with client.stream("GET", f"/api/generations/{message['assistant_message']['id']}/events") as events:
        events.read()
    today = client.get("/api/admin/usage", params={"days": 1}).json()["days"][0]
    return bool(today["chat_answers"] == 1 and today["completion_tokens"] > 0)
