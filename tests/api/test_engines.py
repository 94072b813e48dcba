"""Which engine a process chooses, what it says about it, and that all of them look the same from outside."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from assistant.config import SettingsError, load_settings
from assistant.engines import too_old
from tests.servers import Backend, events, eventually

Make = Callable[..., Backend]
AWAY = "http://127.0.0.1:1/v1"


def reason(backend: Backend) -> str:
    """The line in the log that says which engine was chosen and why."""
    return next(line for line in backend.log.read_text().splitlines() if '"engine: ' in line)


@pytest.fixture
def blocked(tmp_path: Path) -> dict[str, str]:
    """An environment in which llama_cpp cannot be imported."""
    folder = tmp_path / "blocked"
    folder.mkdir()
    (folder / "llama_cpp.py").write_text('raise ImportError("no llama_cpp on this machine")\n')
    return {"PYTHONPATH": str(folder)}


def test_auto_takes_llama_cpp_where_its_library_loads_and_a_model_is_there(own_backend: Make) -> None:
    backend = own_backend(UPSTREAM_URL=AWAY).start()
    assert httpx.get(f"{backend.url}/ready").json()["engine"] == "llama.cpp"
    assert "its library loads and a model is there" in reason(backend)


def test_auto_takes_the_upstream_where_no_model_is_there(own_backend: Make, backend: Backend) -> None:
    over = own_backend(model=None, UPSTREAM_URL=backend.url).start()
    ready = httpx.get(f"{over.url}/ready").json()
    assert (ready["engine"], ready["model"]) == ("upstream", "demo")
    assert "no model is there" in reason(over)


def test_a_process_without_llama_cpp_serves_an_upstream(
    own_backend: Make, backend: Backend, blocked: dict[str, str]
) -> None:
    over = own_backend(UPSTREAM_URL=backend.url, **blocked).start()
    assert "no llama_cpp on this machine" in reason(over)
    answer = httpx.post(f"{over.url}/chat", json={"prompt": "Write hello world", "max_tokens": 20}, timeout=60)
    assert (answer.status_code, answer.json()["model"]) == (200, "demo")


def test_a_process_without_llama_cpp_and_without_an_upstream_ends_with_a_sentence(
    own_backend: Make, blocked: dict[str, str]
) -> None:
    backend = own_backend(**blocked).start(until_ready=False)
    assert backend.wait() == 65
    log = backend.log.read_text()
    assert "llama.cpp cannot be used (no llama_cpp on this machine)" in log
    assert "UPSTREAM_URL" in log


def test_neither_a_model_nor_an_upstream_ends_with_a_sentence(own_backend: Make) -> None:
    backend = own_backend(model=None).start(until_ready=False)
    assert backend.wait() == 65
    assert "set MODEL_PATH to a GGUF file, or UPSTREAM_URL" in backend.log.read_text()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ENGINE": "upstream"}, "UPSTREAM_URL"),
        ({"UPSTREAM_URL": "gpu-server"}, "UPSTREAM_URL"),
        ({"UPSTREAM_URL": "http://me:secret@gpu-server/v1"}, "UPSTREAM_API_KEY"),
        ({"MOCK_TOKENS_PER_SECOND": "0"}, "MOCK_TOKENS_PER_SECOND"),
    ],
)
def test_a_setting_that_makes_no_engine_is_named(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str
) -> None:
    for name, value in {"DATABASE_URL": "postgresql://localhost/none", **environment}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said) as info:
        load_settings()
    assert "secret" not in str(info.value)


LISTED = {
    "requests_in_system", "queue_depth", "predicted_wait_seconds", "time_to_first_token_seconds",
    "inter_token_seconds", "request_seconds", "prompt_tokens", "generated_tokens", "cached_tokens",
    "speculated_tokens", "accepted_tokens", "batch_rows", "kv_cells", "kv_cells_used", "kv_cells_cached",
    "kv_ram_bytes", "kv_disk_bytes", "steps", "step_seconds", "preemptions", "rejections", "model_version_info",
    "threads", "cpu_quota",
}  # fmt: skip


def test_every_metric_is_there_once_and_described(backend: Backend, client: httpx.Client) -> None:
    client.post("/generate", json={"text": "def add(a, b):", "max_tokens": 3})
    text = client.get("/metrics").text
    families = list(text_string_to_metric_families(text))
    ours = [family for family in families if family.name.startswith("codellama_")]
    names = [family.name.removeprefix("codellama_") for family in ours]
    assert len(names) == len(set(names)) == len({line for line in text.splitlines() if line.startswith("# HELP codel")})
    assert LISTED - set(names) == set()
    for family in ours:
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge", "histogram")
        assert all(sample.name.endswith("_total") for sample in family.samples if family.type == "counter")
    for counter in ("prompt_tokens", "generated_tokens", "steps"):
        assert backend.metric(f"{counter}_total") > 0
    assert backend.metric("batch_rows_count") == backend.metric("step_seconds_count") == backend.metric("steps_total")


@pytest.fixture
def mock(own_backend: Make) -> Iterator[Backend]:
    """A mock that reads 1,000 and writes 50 tokens a second, one request at a time, and queues for 3 seconds."""
    rates = {"MOCK_SLOTS": "1", "MOCK_TOKENS_PER_SECOND": "50", "MOCK_PREFILL_PER_SECOND": "1000"}
    with own_backend(model=None, ENGINE="mock", QUEUE_MAX_WAIT_S="3", **rates).start() as backend:
        yield backend


def test_the_mock_simulates_a_queue_that_fills_up(mock: Backend) -> None:
    statuses: list[int] = []

    def call() -> None:
        body = {"prompt": "x", "max_tokens": 50}
        with mock.client() as client:
            response = client.post("/v1/completions", json=body)
        statuses.append(response.status_code)
        if response.status_code == 429:
            assert int(response.headers["Retry-After"]) >= 1
            assert response.json()["error"]["code"] == "queue_full"

    call()  # now it knows how long requests take
    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    eventually("some wait", lambda: mock.metric("queue_depth") > 0)
    assert mock.metric("requests_in_system") >= 2
    assert mock.metric("predicted_wait_seconds") > 0
    for thread in threads:
        thread.join()
    assert {200, 429} == set(statuses)
    assert mock.metric("generated_tokens_total") == 50 * statuses.count(200)


def test_the_mock_reads_a_prompt_in_steps_that_the_chat_can_show(mock: Backend) -> None:
    with mock.client() as client:
        conversation = client.post("/api/conversations", json={}).json()["id"]
        sent = client.post(f"/api/conversations/{conversation}/messages", json={"content": "word " * 1000}).json()
        path = f"/api/generations/{sent['assistant_message']['id']}/events"
        with client.stream("GET", path) as response:
            seen = [data["done"] for name, data, _ in events(response) if name == "reading"]
    assert len(seen) > 2
    assert seen == sorted(seen)


def test_a_cpu_whose_variant_has_no_avx2_is_too_old() -> None:
    assert "no AVX2" in (too_old("sandybridge") or "")
    assert [too_old(variant) for variant in ("haswell", "zen4", None)] == [None, None, None]
