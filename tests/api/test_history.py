import base64
from typing import Any

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.history import chain, conversation, message, somebody_elses, take_in

NO_SUCH_TIME = "0001-01-01T00:00:00+14:00 00000000-0000-0000-0000-000000000000"
FIRST = base64.urlsafe_b64encode(NO_SUCH_TIME.encode()).decode()


@pytest.fixture
def client(mock_client: httpx.Client) -> httpx.Client:
    return mock_client


@pytest.fixture
def page(client: httpx.Client) -> str:
    return new(client, "a page")


def new(client: httpx.Client, title: str) -> str:
    identity: str = client.post("/api/conversations", json={"title": title}).json()["id"]
    return identity


def titles(client: httpx.Client, **query: Any) -> list[str]:
    """All pages of a list, two rows at a time."""
    found: list[str] = []
    while True:
        answer = client.get("/api/conversations", params={"limit": 2, **query}).json()
        found += [item["title"] for item in answer["items"]]
        if answer["next_before"] is None:
            return found
        query["before"] = answer["next_before"]


def change(client: httpx.Client, page: str, **changes: Any) -> dict[str, Any]:
    response = client.patch(f"/api/conversations/{page}", json=changes)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def test_a_field_that_is_left_out_stays(client: httpx.Client, page: str) -> None:
    change(client, page, pinned=True, folder="Work", title="new title")
    changed = change(client, page, archived=True)
    assert {name: changed[name] for name in ("title", "pinned", "archived", "folder")} == {
        "title": "new title",
        "pinned": True,
        "archived": True,
        "folder": "Work",
    }
    assert change(client, page, folder=None)["folder"] is None
    assert change(client, page)["title"] == "new title"
    assert change(client, page, pinned=False, archived=False)["pinned"] is False


def test_changing_a_conversation_does_not_move_it_up(client: httpx.Client) -> None:
    first, _ = new(client, "first"), new(client, "second")
    change(client, first, folder="Work", title="renamed")
    assert titles(client) == ["second", "renamed"]


def test_pages_are_complete_when_many_rows_share_a_time(client: httpx.Client, database: str) -> None:
    made = {f"row {number}" for number in range(7)}
    for title in made:
        new(client, title)
    with psycopg.connect(plain_url(database)) as connection:
        connection.execute("UPDATE conversations SET updated_at = '2026-01-01 00:00:00.123456+00'")
    found = titles(client)
    assert (set(found), len(found)) == (made, 7)


def test_pinned_ones_come_with_the_first_page_only(client: httpx.Client) -> None:
    pages = [new(client, f"row {number}") for number in range(4)]
    for page in (pages[0], pages[2]):
        change(client, page, pinned=True)
    first = client.get("/api/conversations", params={"limit": 1}).json()
    assert [item["title"] for item in first["pinned"]] == ["row 2", "row 0"]
    second = client.get("/api/conversations", params={"limit": 1, "before": first["next_before"]}).json()
    assert second["pinned"] == []
    assert titles(client) == ["row 3", "row 1"]


def test_the_hundred_and_first_pin_is_refused(client: httpx.Client, page: str) -> None:
    take_in(client, *(conversation([], pinned=True) for _ in range(100)))
    response = client.patch(f"/api/conversations/{page}", json={"pinned": True})
    assert (response.status_code, response.json()["param"]) == (409, "pinned")
    more = client.post(
        "/api/conversations/import",
        json={"format": "codellama-conversations", "version": 1, "conversations": [conversation([], pinned=True)]},
    )
    assert (more.status_code, "pinned" in more.json()["detail"]) == (409, True)


def test_archived_ones_are_listed_apart(client: httpx.Client, page: str) -> None:
    new(client, "another")
    change(client, page, archived=True, pinned=True)
    listed = client.get("/api/conversations").json()
    assert ([each["title"] for each in listed["items"]], listed["pinned"]) == (["another"], [])
    archived = client.get("/api/conversations", params={"archived": True}).json()
    assert [each["title"] for each in archived["pinned"]] == ["a page"]


@pytest.mark.parametrize(
    "name", ["Work", "a/b", "..", "50 % & more?", "naïve 🐍", "'; DROP TABLE users --", "x" * 60, "null"]
)
def test_folders_may_have_any_name(client: httpx.Client, page: str, name: str) -> None:
    change(client, page, folder=name)
    new(client, "elsewhere")
    assert client.get("/api/conversations/folders").json()["items"] == [{"name": name, "conversations": 1}]
    assert titles(client, folder=name) == ["a page"]
    assert titles(client, folder=name[:-1]) == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "two\nlines", "tab\tbed", 7, "bell\a"])
def test_a_bad_folder_is_refused_by_name(client: httpx.Client, page: str, name: object) -> None:
    response = client.patch(f"/api/conversations/{page}", json={"folder": name})
    assert (response.status_code, response.json()["param"]) == (422, "folder")


def test_a_folder_is_there_as_long_as_something_is_in_it(client: httpx.Client, page: str) -> None:
    change(client, page, folder="  Work ")
    change(client, new(client, "old"), folder="Work", archived=True)
    assert client.get("/api/conversations/folders").json()["items"] == [{"name": "Work", "conversations": 1}]
    client.delete("/api/conversations")
    assert client.get("/api/conversations/folders").json()["items"] == []


def test_all_or_only_the_archived_ones_are_deleted(client: httpx.Client, page: str, database: str) -> None:
    theirs, _ = somebody_elses(database)
    new(client, "kept")
    change(client, page, archived=True)
    assert client.delete("/api/conversations", params={"archived": True}).json() == {"deleted": 1}
    assert titles(client) == ["kept"]
    assert client.delete("/api/conversations").json() == {"deleted": 1}
    assert titles(client) == []
    with psycopg.connect(plain_url(database)) as connection:
        assert connection.execute("SELECT id FROM conversations WHERE id = %s", [theirs]).fetchone() is not None


@pytest.mark.parametrize("path", ["/api/conversations", "/api/search"])
@pytest.mark.parametrize(
    "cursor", ["x", "====", "2026-01-01T00:00:00Z", "MjAyNi0wMS0wMSB4", "é", "MjAyNi0wMS0wMVQwMDowMDowMCAx", FIRST]
)
def test_a_bad_cursor_is_refused_by_name(client: httpx.Client, path: str, cursor: str) -> None:
    response = client.get(path, params={"before": cursor, "q": "word"})
    assert (response.status_code, response.json()["param"]) == (400, "before")


def test_nobody_elses_conversation_is_there(client: httpx.Client, database: str) -> None:
    theirs, answer = somebody_elses(database)
    url = f"/api/conversations/{theirs}"
    assert client.patch(url, json={"title": "mine"}).status_code == 404
    assert client.get(url, params={"around": answer}).status_code == 404
    assert client.get(f"{url}/export").status_code == 404
    assert client.get("/api/conversations/folders").json()["items"] == []
    assert client.get("/api/conversations", params={"folder": "Theirs"}).json()["items"] == []


def opened(client: httpx.Client, page: str, **query: Any) -> dict[str, Any]:
    response = client.get(f"/api/conversations/{page}", params=query)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def turns(answer: dict[str, Any]) -> list[str]:
    """What the branch of a page says."""
    contents = {each["id"]: each["content"] for each in answer["messages"]}
    return [contents[id_] for id_ in answer["branch"]]


def test_a_long_conversation_opens_at_its_end_and_is_read_upwards(client: httpx.Client) -> None:
    (page,) = take_in(client, conversation(chain(1000)))
    answer = opened(client, page)
    assert turns(answer) == [f"turn {number}" for number in range(800, 1000)]
    assert (answer["earlier"], answer["later"], len(answer["messages"])) == (True, False, 200)
    read = turns(answer)
    while answer["earlier"]:
        answer = opened(client, page, before=answer["branch"][0], limit=170)
        read = turns(answer) + read
    assert read == [f"turn {number}" for number in range(1000)]


def test_a_hit_is_jumped_to_and_read_on_from(client: httpx.Client) -> None:
    (page,) = take_in(client, conversation(chain(300)))
    hit = client.get("/api/search", params={"q": '"turn 100"'}).json()["items"][0]
    answer = opened(client, page, around=hit["message_id"], limit=20)
    assert turns(answer) == [f"turn {number}" for number in range(90, 110)]
    assert (answer["earlier"], answer["later"]) == (True, True)
    after = opened(client, page, after=answer["branch"][-1])
    assert turns(after) == [f"turn {number}" for number in range(110, 300)]
    assert (after["earlier"], after["later"]) == (True, False)


def test_near_its_ends_a_window_is_as_long_as_elsewhere(client: httpx.Client) -> None:
    (page,) = take_in(client, conversation(chain(50)))
    whole = opened(client, page)["branch"]
    for place in (0, 49):
        answer = opened(client, page, around=whole[place], limit=10)
        assert answer["branch"] == (whole[:10] if place == 0 else whole[-10:])
    assert opened(client, page, before=whole[0])["branch"] == []
    assert opened(client, page, after=whole[-1])["branch"] == []


def test_a_new_branch_at_the_top_still_opens_as_a_whole_with_its_siblings(client: httpx.Client) -> None:
    old = chain(300)
    new_branch = chain(2, begin=old[3])
    (page,) = take_in(client, conversation([*old, *new_branch]))
    answer = opened(client, page)
    assert turns(answer) == ["turn 0", "turn 1", "turn 2", "turn 3", "turn 0", "turn 1"]
    contents = [each["content"] for each in answer["messages"]]
    assert contents.count("turn 4") == 1
    assert len(contents) == 7
    sibling = next(each["id"] for each in answer["messages"] if each["content"] == "turn 4")
    other = opened(client, page, around=sibling, limit=400)
    assert turns(other) == [f"turn {number}" for number in range(300)]


def test_a_short_conversation_comes_whole(client: httpx.Client) -> None:
    first = message(None, "question", minute=0)
    answers = [message(first["id"], f"answer {n}", minute=n, author="assistant") for n in (1, 2)]
    replies = [message(answers[0]["id"], "reply to the first", minute=3), message(answers[1]["id"], "second", minute=4)]
    (page,) = take_in(client, conversation([first, *answers, *replies]))
    answer = opened(client, page)
    assert [each["content"] for each in answer["messages"]] == [
        "question",
        "answer 1",
        "answer 2",
        "reply to the first",
        "second",
    ]
    assert turns(answer) == ["question", "answer 2", "second"]
    assert (answer["earlier"], answer["later"]) == (False, False)


def test_two_first_messages_are_siblings(client: httpx.Client) -> None:
    (page,) = take_in(client, conversation([*chain(3), message(None, "another beginning", minute=9)]))
    answer = opened(client, page, limit=2)
    assert turns(answer) == ["another beginning"]
    assert {each["content"] for each in answer["messages"]} == {"another beginning", "turn 0"}


@pytest.mark.parametrize("name", ["before", "after", "around"])
def test_a_message_of_elsewhere_is_refused_by_name(client: httpx.Client, page: str, database: str, name: str) -> None:
    _, theirs = somebody_elses(database)
    response = client.get(f"/api/conversations/{page}", params={name: theirs})
    assert (response.status_code, response.json()["param"]) == (400, name)


def test_only_one_place_may_be_asked_for(client: httpx.Client, page: str) -> None:
    response = client.get(f"/api/conversations/{page}", params={"before": page, "around": page})
    assert (response.status_code, response.json()["param"]) == (400, "around")


def test_an_empty_conversation_has_no_branch(client: httpx.Client, page: str) -> None:
    answer = opened(client, page)
    assert (answer["branch"], answer["messages"], answer["earlier"]) == ([], [], False)
