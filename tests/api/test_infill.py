"""``/infill`` as editors use it: they send what llama.vim and llama.vscode send, and read what these read."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.editors import CODE, Cursor, LlamaVim, LlamaVscode
from tests.servers import Backend, eventually

CURSOR = Cursor("def add(a, b):\n", "    return ", "\n\nprint(add(1, 2))\n")
N_CTX = 2048
EXTRA = [{"text": CODE, "filename": "tools.py"}]


def body(**more: Any) -> dict[str, Any]:
    return {
        "input_prefix": CURSOR.before, "prompt": CURSOR.line, "input_suffix": CURSOR.after, "n_predict": 24,
        "temperature": 0, **more,
    }  # fmt: skip


def ask(client: httpx.Client, **more: Any) -> dict[str, Any]:
    response = client.post("/infill", json=body(**more))
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_llama_vim_shows_a_suggestion_and_its_figures(client: httpx.Client) -> None:
    vim = LlamaVim(client)
    suggestion = vim.fim(CURSOR)
    assert suggestion is not None
    assert suggestion.lines[0]
    assert suggestion.info["timings/predicted_n"] > 0
    assert suggestion.info["timings/prompt_per_second"] > 0
    assert not suggestion.truncated


def test_what_llama_vim_reads_ahead_is_in_the_cache_when_it_asks(client: httpx.Client) -> None:
    vim = LlamaVim(client)
    vim.pick_chunk(CODE, "tools.py")
    vim.ring_update()
    eventually("the warm-up has been read", lambda: vim.fim_figures(CURSOR)["timings/prompt_n"] < 60)
    read = vim.fim_figures(Cursor(CURSOR.before, CURSOR.line + "a", CURSOR.after))
    assert read["timings/prompt_n"] < read["tokens_cached"] / 2


def test_llama_vscode_shows_several_suggestions(client: httpx.Client) -> None:
    editor = LlamaVscode(client)
    editor.update_extra_context([{"text": CODE, "time": 1_700_000_000_000, "filename": "/home/ada/tools.py"}])
    completions = editor.completions(CURSOR, n_cmpl=3)
    assert completions
    assert all(isinstance(each, str) for each in completions)


def test_llama_vscode_shows_its_status_bar(client: httpx.Client) -> None:
    editor = LlamaVscode(client)
    assert editor.completions(CURSOR, n_cmpl=1)
    assert f" / {N_CTX}, r: 0" in editor.status
    assert "undefined" not in editor.status


def test_an_answer_says_which_stop_string_ended_it(client: httpx.Client) -> None:
    answer = ask(client, stop=["\n", " ", "("])
    assert answer["stop_type"] == "word"
    assert answer["stopping_word"] in ("\n", " ", "(")
    assert answer["stopping_word"] not in answer["content"]


def test_an_answer_has_llama_servers_fields(client: httpx.Client) -> None:
    answer = ask(client)
    assert answer["stop"] is True
    assert answer["stop_type"] in ("eos", "limit")
    assert answer["tokens_predicted"] == answer["timings"]["predicted_n"] <= 24
    assert answer["tokens_evaluated"] == answer["timings"]["prompt_n"] + answer["timings"]["cache_n"]
    assert answer["tokens_cached"] == answer["tokens_evaluated"] + answer["tokens_predicted"]
    assert answer["generation_settings"]["n_ctx"] == N_CTX


def test_response_fields_choose_and_flatten(client: httpx.Client) -> None:
    answer = ask(client, response_fields=["content", "timings/prompt_n", "generation_settings/n_ctx", "no/such", ""])
    assert set(answer) == {"content", "timings/prompt_n", "generation_settings/n_ctx"}
    assert ask(client, response_fields=[""]) == {}


def test_the_stream_has_the_same_text_in_parts(client: httpx.Client) -> None:
    whole = ask(client)
    with client.stream("POST", "/infill", json=body(stream=True)) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        parts = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]
    assert "".join(part["content"] for part in parts) == whole["content"]
    assert [part["stop"] for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1]["tokens_predicted"] == whole["tokens_predicted"]


def test_the_prefix_form_and_the_cursors_line_are_one_text(client: httpx.Client) -> None:
    split = ask(client)
    joined = ask(client, input_prefix=CURSOR.before + CURSOR.line, prompt="")
    assert (split["content"], split["tokens_evaluated"]) == (joined["content"], joined["tokens_evaluated"])


def test_extra_context_changes_what_is_read_and_stays_cached_between_keystrokes(client: httpx.Client) -> None:
    plain = ask(client)
    first = ask(client, input_extra=EXTRA)
    second = ask(client, input_extra=EXTRA, prompt=CURSOR.line + "a")
    assert first["tokens_evaluated"] > plain["tokens_evaluated"] + 100
    assert second["timings"]["prompt_n"] < second["tokens_evaluated"] / 2


def test_what_is_too_long_is_cut_at_its_far_ends(client: httpx.Client) -> None:
    first_line, last_line = "first_line = 1\n", "last_line = 2\n"
    before = first_line + "value = value + 1\n" * 2000 + CURSOR.before
    after = CURSOR.after + "other = other - 1\n" * 2000 + last_line
    cut = ask(client, input_prefix=before, input_suffix=after, input_extra=EXTRA)
    assert cut["truncated"] is True
    assert cut["tokens_evaluated"] <= N_CTX - 24
    assert cut["tokens_evaluated"] > N_CTX * 0.7
    assert cut["content"]
    again = ask(client, input_prefix=before, input_suffix=after, input_extra=EXTRA, prompt=CURSOR.line + "a")
    assert again["timings"]["cache_n"] > again["tokens_evaluated"] / 2


def test_a_prompt_that_fits_is_not_truncated(client: httpx.Client) -> None:
    assert ask(client, input_extra=EXTRA)["truncated"] is False


def test_a_long_ring_loses_its_oldest_first(client: httpx.Client) -> None:
    ring = [{"text": f"chunk_{number} = {number}\n" + CODE * 3, "filename": "a.py"} for number in range(12)]
    cut = ask(client, input_extra=ring)
    newest = ask(client, input_extra=ring[-1:])
    assert cut["truncated"] is True
    assert cut["content"]
    assert newest["tokens_evaluated"] <= cut["tokens_evaluated"] < N_CTX / 2


def test_reading_only_may_be_streamed_too(client: httpx.Client) -> None:
    with client.stream("POST", "/infill", json=body(n_predict=0, stream=True)) as response:
        parts = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]
    assert [(part["content"], part["stop"]) for part in parts] == [("", True)]


def test_reading_only_writes_nothing_and_leaves_no_record(client: httpx.Client, database_url: str) -> None:
    marker = "warm_up_only = 1\n"
    answer = ask(client, input_prefix=marker, n_predict=0)
    assert (answer["content"], answer["tokens_predicted"], answer["timings"]["predicted_n"]) == ("", 0, 0)
    assert ask(client, input_prefix=marker)["timings"]["cache_n"] >= answer["tokens_evaluated"] - 1
    eventually("the second call is recorded", lambda: records(database_url, marker) == 1)


def records(database_url: str, prefix: str) -> int:
    query = "SELECT count(*) FROM api_interactions WHERE endpoint = '/infill' AND prompt->>'input_prefix' LIKE %s"
    with psycopg.connect(plain_url(database_url)) as database:
        row = database.execute(query, [prefix + "%"]).fetchone()
    return int(row[0]) if row else 0


def test_the_answer_ends_where_the_indentation_does(client: httpx.Client) -> None:
    free = ask(client, n_predict=120, stop=[])
    cut = ask(client, n_predict=120, n_indent=4)
    assert free["content"].startswith(cut["content"])
    lines = cut["content"].split("\n")[1:]
    assert all(not line.strip() or line.startswith("    ") for line in lines)


def test_samplers_that_are_left_out_are_off(client: httpx.Client) -> None:
    used = ask(client, samplers=["top_k"], top_k=1, temperature=0.5)["generation_settings"]
    assert (used["top_k"], used["temperature"], used["top_p"], used["min_p"]) == (1, 1.0, 1.0, 0.0)
    greedy = ask(client)
    assert ask(client, samplers=["top_k"], top_k=1)["content"] == greedy["content"]


def test_a_stop_string_ends_the_text(client: httpx.Client) -> None:
    free = ask(client)["content"]
    assert ask(client, stop=[free[2:5]])["content"] == free[: free.index(free[2:5])]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n_probs": 3}, "n_probs"),
        ({"lora": [{"id": 0, "scale": 0.5}]}, "lora"),
        ({"grammar": "root ::= [0-9]"}, "grammar"),
        ({"mirostat": 2}, "mirostat"),
        ({"cache_prompt": False}, "cache_prompt"),
        ({"samplers": ["top_k", "dry"]}, "samplers.1"),
        ({"samplers": ["top_p", "top_k"]}, "samplers"),
        ({"samplers": ["top_k", "top_k"]}, "samplers"),
        ({"n_predict": -2}, "n_predict"),
        ({"n_cmpl": 9}, "n_cmpl"),
        ({"n_cmpl": 2, "stream": True}, None),
        ({"temperature": -1}, "temperature"),
        ({"id_slot": -2}, "id_slot"),
        ({"t_max_prompt_ms": "soon"}, "t_max_prompt_ms"),
        ({"input_extra": [{}]}, "input_extra.0.text"),
        ({"input_extra": [{"filename": "ok"}]}, "input_extra.0.text"),
        ({"input_extra": [{"filename": 1, "text": "a"}]}, "input_extra.0.filename"),
        ({"input_extra": [{"text": "a", "score": 1}]}, "input_extra.0.score"),
        ({"prompt": ["a"]}, "prompt"),
        ({"input_prefix": None}, "input_prefix"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    client: httpx.Client, more: dict[str, Any], param: str | None
) -> None:
    response = client.post("/infill", json=body(**more))
    error = response.json()["error"]
    assert response.status_code == 400, error
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param


def test_a_model_that_is_not_served_is_not_found(client: httpx.Client) -> None:
    response = client.post("/infill", json=body(model="gpt-9"))
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


def test_both_sides_of_the_cursor_are_needed(client: httpx.Client) -> None:
    response = client.post("/infill", json={"input_prefix": "a"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "input_suffix")


LONG = {"n_predict": 1900, "temperature": 2, "top_k": 0, "top_p": 1, "min_p": 0.02}


def test_a_prompt_that_takes_too_long_gives_an_empty_answer_and_is_read_afterwards(slow: Backend) -> None:
    cursor = Cursor("value = value + 1\n" * 120 + CURSOR.before, CURSOR.line, CURSOR.after)
    with slow.client() as client:
        hasty = LlamaVim(client, n_predict=2, t_max_prompt_ms=1)
        first = hasty.fim_figures(cursor)
        assert (first["content"], first["timings/predicted_n"]) == ("", 0)
        eventually("the reading goes on to its end", lambda: running(slow) == 0)
        later = LlamaVim(client, n_predict=2).fim_figures(cursor)
    assert later["timings/predicted_n"] == 2
    assert later["timings/prompt_n"] < 20


def running(backend: Backend) -> float:
    return backend.metric("requests_in_system")


@pytest.fixture(scope="module")
def tireless(
    endless_gguf: Path, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """A backend whose model does not know the end of an infill either, and writes a token at a time."""
    folder = tmp_path_factory.mktemp("tireless")
    content = endless_gguf.read_bytes()
    key, name = b"tokenizer.ggml.eot_token_id" + (4).to_bytes(4, "little"), "▁<EOT>".encode()
    assert content.count(key) == content.count(name) == 1
    at = content.index(key) + len(key)
    content = content[:at] + (0).to_bytes(4, "little") + content[at + 4 :]
    (folder / "tireless.gguf").write_bytes(content.replace(name, "▁<EOX>".encode()))
    with Backend(folder, new_database(), folder / "tireless.gguf", SPECULATION="off") as backend:
        yield backend


@pytest.fixture
def slow(tireless: Backend) -> Iterator[Backend]:
    yield tireless
    eventually("the engine is free again", lambda: running(tireless) == 0)


def in_background(backend: Backend, more: dict[str, Any], **headers: str) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []

    def call() -> None:
        with backend.client() as client:
            answers.append(client.post("/infill", json=body(**more), headers=headers).json())

    thread = threading.Thread(target=call)
    thread.start()
    return thread, answers


def test_a_newer_keystroke_ends_the_older_request_of_its_slot(slow: Backend) -> None:
    thread, answers = in_background(slow, {**LONG, "id_slot": 0})
    eventually("the older request runs", lambda: running(slow) == 1)
    with slow.client() as client:
        newer = ask(client, id_slot=0, n_predict=4)
    thread.join()
    assert newer["tokens_predicted"] == 4
    assert (answers[0]["content"], answers[0]["stop_type"], answers[0]["stop"]) == ("", "superseded", True)
    assert answers[0]["tokens_predicted"] < 1900


def test_other_slots_clients_and_requests_without_a_slot_go_on(slow: Backend) -> None:
    others: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"id_slot": 1}, {}),
        ({}, {}),
        ({"id_slot": 0}, {"X-Client-Id": "another window"}),
        ({"id_slot": 0}, {"User-Agent": "another editor"}),
    ]
    threads = [in_background(slow, {**LONG, "n_predict": 700, **more}, **headers) for more, headers in others]
    eventually("they all run", lambda: running(slow) == len(others))
    with slow.client() as client:
        ask(client, id_slot=0, n_predict=2)
        ask(client, n_predict=2)
    for thread, answers in threads:
        thread.join()
        assert answers[0]["stop_type"] == "limit"


def test_a_superseded_stream_ends_with_a_final_event(slow: Backend) -> None:
    with (
        slow.client() as client,
        client.stream("POST", "/infill", json=body(**LONG, id_slot=3, stream=True)) as response,
    ):
        lines = (json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: "))
        assert next(lines)["stop"] is False
        with slow.client() as other:
            ask(other, id_slot=3, n_predict=1)
        assert list(lines)[-1]["stop_type"] == "superseded"


def test_hanging_up_frees_the_engine(slow: Backend) -> None:
    before, content = slow.metric("cancelled_requests_total"), json.dumps(body(**LONG, n_cmpl=4)).encode()
    head = "POST /infill HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    with socket.create_connection(("127.0.0.1", slow.port)) as connection:
        connection.sendall(f"{head}{len(content)}\r\n\r\n".encode() + content)
        eventually("the engine is at work", lambda: running(slow) == 4)
    eventually("they are all cancelled", lambda: slow.metric("cancelled_requests_total") == before + 4)


def test_an_autocomplete_that_stays_is_recorded_as_accepted(client: httpx.Client, database_url: str) -> None:
    before = "# accepted or not\n" + CURSOR.before
    taken = ask(client, input_prefix=before)["content"]
    ask(client, input_prefix=before + CURSOR.line + taken.rstrip() + "\n", prompt="")
    ask(client, input_prefix="# something else\n", prompt="")

    def accepted() -> Any:
        query = "SELECT response, accepted FROM api_interactions WHERE prompt->>'input_prefix' LIKE %s ORDER BY id"
        with psycopg.connect(plain_url(database_url)) as database:
            return database.execute(query, [before + "%"]).fetchall()

    rows = eventually("the first is accepted", lambda: found if (found := accepted())[:1] and found[0][1] else None)
    assert rows[0] == (taken, True)
    assert all(row[1] is None for row in rows[1:])
