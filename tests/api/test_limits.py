"""What a key may use, as its owner sees it."""

import hashlib
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import openai
import psycopg
import pytest

from assistant.config import SettingsError, load_settings
from codellama_core.database import plain_url
from tests.api.editors import Cursor, LlamaVim
from tests.servers import Backend, eventually

EMAIL, PASSWORD = "admin@example.org", "correct horse battery"
CALL = {"prompt": "hello", "max_tokens": 2}


@pytest.fixture(scope="module")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, str]]:
    url = new_database()
    environment = {"AUTH_MODE": "accounts", "ENGINE": "mock", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD}
    with Backend(tmp_path_factory.mktemp("limits"), url, None, **environment) as backend:
        yield backend, url


def create(url: str, *limits: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "assistant", "keys", "create", "--name", "ci", "--email", EMAIL, *limits]
    return subprocess.run(command, env={"DATABASE_URL": url}, capture_output=True, text=True, check=False)


def new_key(url: str, requests: int | None = None, tokens: int | None = None) -> str:
    """A key of the admin's, as the command would store it."""
    key = f"cl-{secrets.token_hex(16)}"
    with psycopg.connect(plain_url(url), autocommit=True) as database:
        database.execute(
            "INSERT INTO api_keys (id, user_id, name, key_hash, prefix, requests_per_minute, tokens_per_minute) "
            "SELECT gen_random_uuid(), id, 'test', %s, 'cl-', %s, %s FROM users",
            [hashlib.sha256(key.encode()).hexdigest(), requests, tokens],
        )
    return key


@pytest.fixture
def client_with(server: tuple[Backend, str]) -> Iterator[Callable[..., httpx.Client]]:
    """Makes clients whose key has limits: requests, tokens."""
    made: list[httpx.Client] = []

    def make(requests: int | None = None, tokens: int | None = None) -> httpx.Client:
        made.append(server[0].client())
        made[-1].headers["Authorization"] = f"Bearer {new_key(server[1], requests, tokens)}"
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_a_key_made_with_limits_has_them(server: tuple[Backend, str]) -> None:
    made = create(server[1], "--requests-per-minute", "5", "--tokens-per-minute", "700")
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    answered = httpx.post(f"{server[0].url}/chat", json=CALL, headers=headers)
    assert answered.headers["x-ratelimit-limit-requests"] == "5"
    assert answered.headers["x-ratelimit-remaining-requests"] == "4"
    assert answered.headers["x-ratelimit-limit-tokens"] == "700"


def test_editors_sign_in_with_a_key_and_keep_no_refusal(server: tuple[Backend, str]) -> None:
    cursor = Cursor("def f():\n", "    return ", "\n")
    with server[0].client() as client:
        known, stranger = LlamaVim(client, new_key(server[1]), n_predict=4), LlamaVim(client, n_predict=4)
        assert known.fim(cursor) is not None
        assert stranger.fim(cursor) is None
    assert (len(known.cache), len(stranger.cache)) == (1, 0)


def test_a_key_without_limits_hears_nothing_of_them(client_with: Callable[..., httpx.Client]) -> None:
    client = client_with()
    for _ in range(3):
        response = client.post("/chat", json=CALL)
        assert response.status_code == 200
        assert not any(name.startswith("x-ratelimit") for name in response.headers)


def test_requests_are_counted_told_and_refused(client_with: Callable[..., httpx.Client]) -> None:
    client = client_with(requests=2)
    left = [client.post("/chat", json=CALL).headers["x-ratelimit-remaining-requests"] for _ in range(2)]
    assert left == ["1", "0"]
    refused = client.post("/v1/completions", json=CALL)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    assert refused.headers["x-ratelimit-limit-requests"] == "2"
    assert client.get("/v1/models").status_code == 200


def test_a_bad_request_counts_too(client_with: Callable[..., httpx.Client]) -> None:
    client = client_with(requests=1)
    assert client.post("/chat", json={}).status_code == 400
    assert client.post("/chat", json=CALL).status_code == 429


def test_tokens_are_counted_when_an_answer_ends(client_with: Callable[..., httpx.Client]) -> None:
    client = client_with(tokens=20)
    assert client.post("/generate", json={"text": "x " * 200, "max_tokens": 2}).status_code == 200
    refused = eventually("the tokens are used up", lambda: _refusal(client))
    assert "20 tokens a minute" in refused.json()["error"]["message"]
    assert refused.headers["x-ratelimit-remaining-tokens"] == "0"


def _refusal(client: httpx.Client) -> httpx.Response | None:
    response = client.post("/chat", json=CALL)
    return response if response.status_code == 429 else None


def test_the_official_client_knows_the_refusal(server: tuple[Backend, str]) -> None:
    official = openai.OpenAI(base_url=f"{server[0].url}/v1", api_key=new_key(server[1], requests=1), max_retries=0)
    official.completions.create(model="mock", prompt="x", max_tokens=1)
    with pytest.raises(openai.RateLimitError):
        official.completions.create(model="mock", prompt="x", max_tokens=1)


def test_refusals_are_counted(server: tuple[Backend, str], client_with: Callable[..., httpx.Client]) -> None:
    client = client_with(requests=1)
    for _ in range(2):
        client.post("/chat", json=CALL)
    assert 'codellama_rejections_total{reason="rate_limit_exceeded"}' in httpx.get(f"{server[0].url}/metrics").text


@pytest.mark.parametrize("value", ["0", "9999999999"])
def test_a_limit_that_is_none_is_refused(server: tuple[Backend, str], value: str) -> None:
    made = create(server[1], "--requests-per-minute", value)
    assert made.returncode == 2
    assert "--requests-per-minute" in made.stderr


ALLOWED = "https://tools.example"


@pytest.fixture(scope="module")
def open_server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    environment = {"ENGINE": "mock", "CORS_ORIGINS": f"{ALLOWED}, http://localhost:5173"}
    with Backend(tmp_path_factory.mktemp("origins"), new_database(), None, **environment) as backend:
        yield backend


def preflight(backend: Backend, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os",
    }  # fmt: skip
    return httpx.options(f"{backend.url}/v1/chat/completions", headers=headers)


def test_pages_of_listed_sites_may_call_and_read_the_headers(open_server: Backend) -> None:
    asked = preflight(open_server, ALLOWED)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, ALLOWED)
    assert "authorization" in asked.headers["access-control-allow-headers"].lower()
    answered = httpx.post(f"{open_server.url}/chat", json=CALL, headers={"Origin": ALLOWED})
    assert (answered.status_code, answered.headers["access-control-allow-origin"]) == (200, ALLOWED)
    assert "x-ratelimit-remaining-tokens" in answered.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answered.headers


def test_pages_of_other_sites_may_not(open_server: Backend) -> None:
    asked = preflight(open_server, "https://evil.example")
    assert asked.status_code == 400
    assert "access-control-allow-origin" not in asked.headers
    assert (
        httpx.post(f"{open_server.url}/chat", json=CALL, headers={"Origin": "https://evil.example"}).status_code == 403
    )


def test_without_the_setting_no_other_site_may_call(server: tuple[Backend, str]) -> None:
    assert "access-control-allow-origin" not in preflight(server[0], ALLOWED).headers


@pytest.mark.parametrize("value", ["*", "tools.example", "https://tools.example/", "https://a.example/x", "ftp://a.b"])
def test_a_bad_origin_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/none")
    monkeypatch.setenv("CORS_ORIGINS", f"https://fine.example,{value}")
    with pytest.raises(SettingsError, match=r"CORS_ORIGINS: .*write https://host"):
        load_settings()
