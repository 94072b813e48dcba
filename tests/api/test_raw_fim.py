"""Prompts with the control tokens spelled out, as Continue and others send them to ``/v1/completions``."""

import json
from typing import Any

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.servers import eventually

PREFIX, SUFFIX = "def subtract(a, b):\n    return ", "\n\nprint(subtract(3, 2))\n"
CONTINUE_STOPS = ["<PRE>", "<SUF>", "<MID>", "<EOT>"]
SPELLINGS = {
    "Continue": f"<PRE> {PREFIX} <SUF>{SUFFIX} <MID>",
    "with a beginning of text": f"<s><PRE> {PREFIX} <SUF>{SUFFIX} <MID>",
    "tight": f"<PRE>{PREFIX}<SUF>{SUFFIX}<MID>",
    "the vocabulary's names": f"▁<PRE>{PREFIX}▁<SUF>{SUFFIX}▁<MID>",
    "the vocabulary's names with spaces": f"▁<PRE> {PREFIX} ▁<SUF>{SUFFIX} ▁<MID>",
}


def complete(client: httpx.Client, **body: Any) -> dict[str, Any]:
    response = client.post("/v1/completions", json={"max_tokens": 24, "temperature": 0, **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize("raw", SPELLINGS.values(), ids=SPELLINGS)
def test_a_raw_prompt_is_read_as_the_suffix_form_is(client: httpx.Client, raw: str) -> None:
    known = complete(client, prompt=PREFIX, suffix=SUFFIX)
    found = complete(client, prompt=raw, stop=CONTINUE_STOPS)
    assert found["usage"]["prompt_tokens"] == known["usage"]["prompt_tokens"]
    assert found["usage"]["prompt_tokens_details"]["cached_tokens"] >= known["usage"]["prompt_tokens"] - 1
    assert found["choices"][0]["text"] == known["choices"][0]["text"]


def test_a_raw_prompt_may_be_streamed(client: httpx.Client) -> None:
    raw = SPELLINGS["Continue"]
    whole = complete(client, prompt=raw)["choices"][0]["text"]
    body = {"prompt": raw, "max_tokens": 24, "temperature": 0, "stream": True, "stop": CONTINUE_STOPS}
    with client.stream("POST", "/v1/completions", json=body) as response:
        lines = [line[6:] for line in response.iter_lines() if line.startswith("data: {")]
    texts = [choice["text"] for line in lines for choice in json.loads(line)["choices"]]
    assert "".join(texts) == whole
    assert "<EOT>" not in whole


def test_text_that_only_mentions_the_tokens_stays_text(client: httpx.Client, database_url: str) -> None:
    text = "# only_mentioned: <PRE> and <SUF> and <MID>\n"
    complete(client, prompt=text)

    def recorded() -> Any:
        query = "SELECT prompt FROM api_interactions WHERE prompt->>'text' = %s"
        with psycopg.connect(plain_url(database_url)) as database:
            return database.execute(query, [text]).fetchone()

    assert eventually("it is recorded as text", recorded) == ({"text": text},)
