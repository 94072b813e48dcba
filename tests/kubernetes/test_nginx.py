"""The front door, in a real nginx: pages, files, headers, and streams that arrive as they are made."""

import json
import re
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import NamedTuple

import pytest

from assistant.api.http import pages
from tests.kubernetes.nginx_server import TEMPLATE, running_nginx
from tests.kubernetes.upstream_server import STREAMS, Upstream, running_upstream

INDEX = "<!doctype html><title>the page</title>"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Site(NamedTuple):
    port: int
    upstream: Upstream


@pytest.fixture(scope="module")
def web_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("html")
    (root / "index.html").write_text(INDEX)
    (root / "favicon.svg").write_text("<svg/>")
    (root / "assets").mkdir()
    (root / "assets" / "index-4f2a.js").write_text("export const answer = 42;\n" * 200)
    return root


@pytest.fixture(scope="module")
def site(web_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    runtime_dir = tmp_path_factory.mktemp("nginx")
    with running_upstream() as upstream, running_nginx(web_root, upstream.address, runtime_dir) as port:
        yield Site(port, upstream)


def ask(port: int, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        content = response.read()
        known = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, known, "" if "content-encoding" in known else content.decode())
    finally:
        connection.close()


@pytest.mark.parametrize(
    "path", ["/", "/c/0198c0de-0000-7000-8000-000000000000", "/c/a.b", "/models", "/login", "/x/y"]
)
def test_every_page_is_the_application_and_is_revalidated(site: Site, path: str) -> None:
    answer = ask(site.port, path)
    assert (answer.status, answer.body) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/assets/index-4f2a.js", "/assets/none.js", "/api/me", "/metrics"])
def test_every_answer_carries_the_security_headers_once(site: Site, path: str) -> None:
    headers = ask(site.port, path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["script-src"] == policy["connect-src"] == policy["font-src"] == "'self'"
    assert policy["object-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["style-src"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "nginx/" not in headers["server"]


def test_pages_have_the_same_policy_from_the_backend_and_in_the_preview(site: Site) -> None:
    policy = ask(site.port, "/").headers["content-security-policy"]
    assert policy == pages.CONTENT_SECURITY_POLICY
    preview = TEMPLATE.with_name("vite.config.ts").read_text()
    quoted = preview.partition("CONTENT_SECURITY_POLICY =")[2].partition(";\n\n")[0]
    assert "".join(re.findall(r'"([^"]+)"', quoted)) == policy


def test_assets_are_immutable_and_compressed(site: Site) -> None:
    answer = ask(site.port, "/assets/index-4f2a.js", Accept_Encoding="gzip")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "application/javascript"
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("path", ["/assets/index-old.js", "/assets/", "/robots.txt", "/a/b/c.css"])
def test_a_missing_file_is_not_the_page_and_is_not_cached(site: Site, path: str) -> None:
    answer = ask(site.port, path)
    assert answer.status in {403, 404}
    assert INDEX not in answer.body
    assert "cache-control" not in answer.headers


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics?x=1"])
def test_metrics_stay_inside(site: Site, path: str) -> None:
    assert ask(site.port, path).status == 404


@pytest.mark.parametrize(
    "path", ["/api/me", "/v1/models/model-7b.gguf", "/health", "/ready", "/openapi.json", "/api/conversations?limit=5"]
)
def test_the_api_is_the_backends(site: Site, path: str) -> None:
    answer = ask(site.port, path)
    assert json.loads(answer.body)["path"] == path
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/chat", "/generate", "/infill", "/v1/chat/completions"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_script_calls_reach_the_backend_and_are_never_a_page(site: Site, path: str, method: str) -> None:
    seen = json.loads(ask(site.port, path, method, '{"prompt": "def f"}').body)
    assert (seen["method"], seen["path"], seen["body"]) == (method, path, '{"prompt": "def f"}')


def test_the_backend_learns_who_asked_and_how(site: Site) -> None:
    seen = json.loads(
        ask(site.port, "/api/me", Host="code.example", X_Forwarded_Proto="https", X_Request_ID="abc-1").body
    )
    assert seen["headers"]["host"] == "code.example"
    assert seen["headers"]["x-forwarded-proto"] == "https"
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert seen["headers"]["x-request-id"] == "abc-1"
    assert "upgrade" not in seen["headers"]


def test_no_message_is_sent_over_a_connection_that_the_backend_may_be_closing(site: Site) -> None:
    seen = json.loads(ask(site.port, "/api/me", "POST", "{}").body)
    assert seen["headers"]["connection"] == "close"


def test_a_request_id_that_could_forge_a_log_line_is_replaced(site: Site) -> None:
    seen = json.loads(ask(site.port, "/api/me", X_Request_ID='a"},{"b').body)
    assert re.fullmatch("[0-9a-f]{32}", seen["headers"]["x-request-id"])


@pytest.mark.parametrize("prefix", STREAMS)
def test_a_streams_first_event_arrives_before_the_second_is_made(site: Site, prefix: str) -> None:
    path = {"/api/generations/": "/api/generations/7/events?after=3", "/v1/": "/v1/completions"}.get(prefix, prefix)
    site.upstream.second_chunk.clear()
    connection = HTTPConnection("127.0.0.1", site.port, timeout=15)
    try:
        connection.request("GET", path, headers={"stream": "1", "Accept-Encoding": "gzip"})
        response = connection.getresponse()
        assert response.getheader("Content-Encoding") is None
        assert event(response) == b"data: first"
        site.upstream.second_chunk.set()
        assert event(response) == b"data: second"
    finally:
        connection.close()


def event(response: HTTPResponse) -> bytes:
    line = response.readline().strip()
    response.readline()
    return line


def test_a_websocket_is_upgraded(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=15) as client:
        client.sendall(b"GET /ws/chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello\n")
        received = client.makefile("rb").read()
    assert b"101 Switching Protocols" in received
    assert received.endswith(b"switched:hello\n")


@pytest.mark.parametrize(("path", "kind"), [("/api/x", "application/problem+json"), ("/v1/x", "application/json")])
def test_an_oversized_body_is_refused_with_the_limit(site: Site, path: str, kind: str) -> None:
    answer = ask(site.port, path, "POST", "x" * (10 * 1024 * 1024 + 1))
    assert answer.status == 413
    assert answer.headers["content-type"] == kind
    assert "10 MiB" in answer.body


def test_without_a_backend_pages_work_and_the_api_says_so(web_root: Path, tmp_path: Path) -> None:
    with running_nginx(web_root, "127.0.0.1:9", tmp_path) as port:
        assert ask(port, "/").status == 200
        problem = ask(port, "/api/me")
        openai = ask(port, "/v1/models")
    assert (problem.status, problem.headers["content-type"]) == (502, "application/problem+json")
    assert json.loads(problem.body)["code"] == "backend_unavailable"
    assert json.loads(openai.body)["error"]["code"] == "backend_unavailable"


def test_the_access_log_is_json_without_queries_bodies_or_keys(web_root: Path, tmp_path: Path) -> None:
    with running_upstream() as upstream, running_nginx(web_root, upstream.address, tmp_path) as port:
        ask(port, "/api/logged?secret=1", Authorization="Bearer sk-1")
        ask(port, "/index.html", User_Agent="kube-probe/1.34")
    entries = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    assert [(entry["path"], entry["status"]) for entry in entries] == [("/api/logged", 200)]
    assert "sk-1" not in json.dumps(entries)
    assert "secret" not in json.dumps(entries)


def test_nothing_is_written_outside_the_runtime_folder() -> None:
    text = TEMPLATE.read_text()
    for directive in ("pid", "client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "scgi_temp_path"):
        assert re.search(rf"^\s*{directive} \$\{{RUNTIME_DIR\}}/", text, re.MULTILINE)
