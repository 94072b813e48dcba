import httpx
import pytest


def test_a_prompt_is_kept_changed_and_forgotten(client: httpx.Client) -> None:
    made = client.post("/api/prompts", json={"title": "review", "content": "Review this:\n"}).json()
    other = client.post("/api/prompts", json={"title": "Explain", "content": "Explain this."}).json()
    listed = client.get("/api/prompts").json()["items"]
    assert [item["title"] for item in listed] == ["Explain", "review"], "by title, whatever its case"
    changed = client.patch(f"/api/prompts/{made['id']}", json={"title": "Zealous review"}).json()
    assert (changed["title"], changed["content"]) == ("Zealous review", "Review this:\n")
    assert changed["updated_at"] > made["updated_at"]
    for each in (made, other):
        assert client.delete(f"/api/prompts/{each['id']}").status_code == 204
        assert client.delete(f"/api/prompts/{each['id']}").status_code == 404
    assert client.patch(f"/api/prompts/{made['id']}", json={"title": "x"}).status_code == 404
    assert client.get("/api/prompts").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"title": "t", "content": "   "}, "content"),
        ({"title": "", "content": "c"}, "title"),
        ({"title": "t" * 201, "content": "c"}, "title"),
        ({"title": "t"}, "content"),
    ],
)
def test_an_empty_prompt_is_refused_by_the_field(client: httpx.Client, body: dict[str, str], param: str) -> None:
    refused = client.post("/api/prompts", json=body)
    assert (refused.status_code, refused.json()["param"]) == (422, param)
