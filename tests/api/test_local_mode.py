import httpx
import pytest


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Origin": "https://evil.example"},
        {"X-Forwarded-For": "10.0.0.1"},
        {"Forwarded": "for=10.0.0.1"},
    ],
)
def test_local_mode_answers_this_machine_only(client: httpx.Client, headers: dict[str, str]) -> None:
    assert client.get("/api/me", headers=headers).status_code == 403


def test_local_mode_signs_its_admin_in(client: httpx.Client) -> None:
    me = client.get("/api/me").json()
    assert (me["role"], me["auth_mode"], me["model"]["name"], me["model"]["demo"]) == ("admin", "local", "demo", True)
    assert client.post("/api/auth/login", json={"email": "a@b.c", "password": "x"}).status_code == 404


def test_health_ready_and_metrics(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    ready = client.get("/ready").json()
    assert (ready["status"], ready["database"], ready["engine"]) == ("ready", "ok", "llama.cpp")
    metrics = client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    for name in ("requests_in_system", "queue_depth", "time_to_first_token_seconds_bucket", "model_version_info"):
        assert f"codellama_{name}" in metrics.text


def test_every_response_carries_a_request_id(client: httpx.Client) -> None:
    assert client.get("/health", headers={"X-Request-ID": "abc-123"}).headers["x-request-id"] == "abc-123"
    assert client.get("/health", headers={"X-Request-ID": "bad id!"}).headers["x-request-id"] != "bad id!"
    missing = client.get("/nowhere")
    assert missing.json()["request_id"] == missing.headers["x-request-id"]
