"""The product that compose makes of the images: people chat in a browser, programs call it, and it learns."""

import email
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from assistant.services.people.keys import PREFIX
from tests.e2e.playwright import run_playwright
from tests.e2e.site import environment_of
from tests.images.product import COMPOSE, ROOT, Product, running_product
from tests.servers import events

NEED_A_PAST_RUN = {"admin.spec.ts", "every-page.spec.ts", "layout-shift.spec.ts", "models.spec.ts"}
BROWSER_TESTS = sorted({path.name for path in (ROOT / "tests/e2e").glob("*.spec.ts")} - NEED_A_PAST_RUN)
LONG_RUNNING = ("postgres", "backend", "frontend")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running_product(tmp_path_factory.mktemp("product")) as running:
        yield running


@pytest.fixture(scope="module")
def key(product: Product) -> str:
    create = ("python", "-m", "assistant", "keys", "create", "--name", "images")
    printed = product.compose("exec", "-T", "backend", *create)
    return next(word for word in printed.split() if word.startswith(PREFIX))


def test_every_service_that_stays_is_healthy(product: Product) -> None:
    assert all(product.is_healthy(name) for name in LONG_RUNNING)


def test_our_containers_have_no_privilege_and_write_nowhere_else(product: Product) -> None:
    for name in COMPOSE["services"].keys() - {"postgres", "finetune"}:
        found = product.inspect(name)
        assert found["HostConfig"]["ReadonlyRootfs"] is True
        assert found["EffectiveCaps"] is None
        assert "no-new-privileges" in found["HostConfig"]["SecurityOpt"]


def test_an_answer_streams_through_nginx(product: Product, key: str) -> None:
    body = {
        "model": "demo-model", "stream": True, "max_tokens": 48,
        "messages": [{"role": "user", "content": "Write a Python function that reverses a string."}],
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.stream("POST", f"{product.url}/v1/chat/completions", json=body, headers=headers, timeout=180) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        pieces = [data["choices"] for _, data, _ in events(answer) if data]
    written = [piece[0]["delta"].get("content") for piece in pieces if piece]
    assert len([text for text in written if text]) > 1


def test_people_use_it_in_a_browser(product: Product) -> None:
    run_playwright(environment_of(product.url), *BROWSER_TESTS)


def test_a_weekly_run_learns_and_is_judged(product: Product) -> None:
    """On a package of the standard library, as source code that an organisation offers; 3: measured, and not better."""
    offered = f"--volume={Path(email.__file__).parent}:/sources/email:ro"
    run = ("--profile", "finetune", "run", "--rm", "-T", "--no-deps")
    product.compose(*run, offered, "finetune", "python", "-m", "finetuning", "ingest", "/sources/email")
    done = product.run(*run, "finetune")
    assert done.code in (0, 3), done.output[-6000:]
