"""What an organisation would have after some weeks: people, chats, calls, training runs, versions, an audit log."""

import hashlib
import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import sync_engine
from codellama_core.models import (
    ApiInteraction,
    AuditLog,
    Feedback,
    Message,
    ModelVersion,
    RunState,
    Split,
    TrainingRow,
    TrainingRun,
    User,
    VersionState,
)
from finetuning.curve import curve
from tests.e2e.talk import CHATS, PROMPTS, SOURCES, Chat

PEOPLE: Final = (
    ("grace@example.org", "Grace Hopper", "admin"), ("alan@example.org", "Alan Turing", "member"),
    ("barbara@example.org", "Barbara Liskov", "member"), ("edsger@example.org", "Edsger Dijkstra", "member"),
    ("margaret@example.org", "Margaret Hamilton", "member"), ("ken@example.org", "Ken Thompson", "member"),
)  # fmt: skip
WEEKS: Final = 4
REFUSED: Final = 2  # the week whose candidate was worse
BASE: Final = "demo-model"


def fill(address: str, database_url: str, email: str, password: str) -> None:
    """Through the API where it has a way, so that everything is as the product itself would have made it."""
    with httpx.Client(base_url=address, headers={"Origin": address}, timeout=60) as admin:
        admin.post("/api/auth/login", json={"email": email, "password": password}).raise_for_status()
        admin.patch("/api/me", json={"name": "Ada Lovelace"}).raise_for_status()
        _people(admin, address)
        _work(admin)
    engine = sync_engine(database_url)
    with Session(engine) as session, session.begin():
        versions = _weeks(session)
        _spread_use(session, versions, random.Random(1))
    engine.dispose()


def _people(admin: httpx.Client, address: str) -> None:
    for email, name, role in PEOPLE:
        body = {"email": email, "name": name, "role": role}
        made = admin.post("/api/admin/users", json=body).raise_for_status().json()
        token = made["link"]["url"].partition("#")[2]
        chosen = {"token": token, "password": "staple battery horse"}
        link = f"{address}/api/auth/link/password"
        httpx.post(link, json=chosen, headers={"Origin": address}).raise_for_status()
    users = admin.get("/api/admin/users").raise_for_status().json()["items"]
    edsger = next(user["id"] for user in users if user["email"].startswith("edsger"))
    admin.patch(f"/api/admin/users/{edsger}", json={"active": False}).raise_for_status()


def _work(admin: httpx.Client) -> None:
    now = datetime.now(UTC)
    conversations = [_exported(chat, now - timedelta(hours=chat.hours_ago)) for chat in CHATS]
    body = {"format": "codellama-conversations", "version": 1, "conversations": conversations}
    admin.post("/api/conversations/import", json=body).raise_for_status()
    for title, text in PROMPTS:
        admin.post("/api/prompts", json={"title": title, "content": text}).raise_for_status()
    for name in ("VS Code", "Nightly review script"):
        admin.post("/api/me/keys", json={"name": name}).raise_for_status()
    for repo, files in SOURCES.items():
        body = {"repo": repo, "license": "Proprietary", "files": [{"path": p, "content": c} for p, c in files.items()]}
        admin.post("/api/admin/documents", json=body).raise_for_status()


def _exported(chat: Chat, at: datetime) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for number, (question, answer) in enumerate(chat.turns):
        asked = at + timedelta(minutes=4 * number)
        messages.append(_message(messages, "user", question, asked))
        done = {"model": BASE, "finished_at": (asked + timedelta(seconds=14)).isoformat(), **_figures(answer)}
        messages.append(_message(messages, "assistant", answer, asked + timedelta(seconds=1), **done))
        if number == 0 and chat.feedback:
            messages[-1]["feedback"] = chat.feedback
    fixed = {"id": str(uuid.uuid4()), "created_at": at.isoformat(), "updated_at": at.isoformat()}
    return {**fixed, "title": chat.title, "pinned": chat.pinned, "folder": chat.folder, "messages": messages}


def _message(before: Sequence[dict[str, Any]], author: str, text: str, at: datetime, **more: Any) -> dict[str, Any]:
    parent = before[-1]["id"] if before else None
    fixed = {"id": str(uuid.uuid4()), "parent_id": parent, "author": author, "status": "done"}
    return {**fixed, "content": text, "created_at": at.isoformat(), **more}


def _figures(answer: str) -> dict[str, Any]:
    tokens = len(answer) // 3
    rate = 70 + len(answer) % 11
    seconds = tokens / rate
    return {
        "finish_reason": "stop", "prompt_tokens": 180, "cached_tokens": 96, "completion_tokens": tokens,
        "time_to_first_token_s": 0.42, "tokens_per_second": rate, "duration_s": 0.42 + seconds,
    }  # fmt: skip


def _weeks(session: Session) -> list[ModelVersion]:
    """A run each week, the last of them still training; gives the versions there were, the oldest first."""
    champion = registry.champion(session)
    assert champion is not None
    versions = [champion]
    for week in range(WEEKS, 0, -1):
        started = datetime.now(UTC).replace(hour=2, minute=0, second=0) - timedelta(days=7 * week)
        run = _finished_run(session, started, WEEKS - week)
        version = _version(session, run, versions[-1], started)
        _rows(session, run.id, random.Random(week))
        if run.state is RunState.PUBLISHED:
            registry.promote(session, version.id)
            session.add(_audit(session, "model.promote", version.name, started, run_id=str(run.id)))
            versions.append(version)
    session.add(_running_run(datetime.now(UTC) - timedelta(minutes=95)))
    registry.promote(session, champion.id)
    return versions


def _finished_run(session: Session, started: datetime, number: int) -> TrainingRun:
    passed = number != REFUSED
    verdict = _verdict(number, passed)
    run = TrainingRun(
        state=RunState.PUBLISHED if passed else RunState.REJECTED, stage="publish", base_model=BASE, settings={},
        stages=_stages(number, passed, started),
        progress={"stage": "publish", "fraction": 1.0}, verdict=verdict, dataset_fingerprint=_sha256(f"data{number}"),
        started_at=started, heartbeat_at=started, finished_at=started + timedelta(hours=3, minutes=11 + number),
    )  # fmt: skip
    session.add(run)
    session.flush()
    return run


def _stages(number: int, passed: bool, started: datetime) -> dict[str, Any]:
    """What each stage reports."""
    name = f"{BASE}-{started:%Y%m%d-%H%M%S}"
    return {
        "extract": _extracted(number), "train": _trained(number),
        "export": {"quantization": "Q8_0", "size_bytes": 6_700_000, "gain_kept": {"Q8_0": 0.98}},
        "evaluate": {"passed": passed, "gate_rows": 61},
        "publish": {"name": name, "state": "available" if passed else "rejected"},
    }  # fmt: skip


def _running_run(started: datetime) -> TrainingRun:
    drawn = _trained(WEEKS)["curve"]
    learned = {name: [point for point in drawn[name] if point[0] <= 290] for name in ("train", "dev")}
    progress = {
        "stage": "train", "fraction": 0.58, "eta_s": 4100, "loss": 1.284, "step": 290, "curve": {**drawn, **learned},
    }  # fmt: skip
    return TrainingRun(
        state=RunState.RUNNING, stage="train", base_model=BASE, settings={}, stages={"extract": _extracted(WEEKS)},
        progress=progress, started_at=started, heartbeat_at=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip


def _extracted(number: int) -> dict[str, Any]:
    return {
        "rows": {"train": 412 + 37 * number, "dev": 40, "gate": 61},
        "sources": {"correction": 58 + 9 * number, "rating": 131, "interaction": 88, "document": 176, "replay": 60},
        "kinds": {"chat": 260, "infill": 253}, "train_tokens": 196_000 + 9000 * number,
        "rejected": {"near_duplicate": 34, "secret": 3, "too_long": 21, "no_consent": 12},
    }  # fmt: skip


def _trained(number: int) -> dict[str, Any]:
    rng = random.Random(number)
    losses = [round(1.15 + 0.9 / (1 + step / 40) + rng.uniform(-0.06, 0.06), 4) for step in range(500)]
    dev = [[step, round(1.2 + 0.75 / (1 + step / 60), 4)] for step in range(0, 501, 50)]
    return {
        "steps": 500, "epochs": 2.0, "tokens": 392_000, "minutes": 151.2, "tokens_per_second": 43.2,
        "compute": "float32", "parameters": 4_194_304, "curve": curve(losses, dev, 784),
        "dev_loss_before": dev[0][1], "dev_loss_after": dev[-1][1],
    }  # fmt: skip


def _verdict(number: int, passed: bool) -> dict[str, Any]:
    before, after = 1.91 - 0.05 * number, (1.86 if passed else 2.07) - 0.05 * number
    checks: list[tuple[str, Any, Any, str, bool]] = [
        ("gate NLL", before, after, "below the champion's", passed),
        ("probe NLL", 1.42, 1.44, "at most 2 % above", True),
        ("infill similarity", 0.61, 0.63, "not below the champion's", True),
        ("answers without an end", 0, 0, "no more than the champion's", True),
        ("chat template", "3f2a91c07be4", "3f2a91c07be4", "the same", True),
    ]
    names = ("check", "champion", "candidate", "threshold", "passed")
    rows = [dict(zip(names, check, strict=True)) for check in checks]
    return {"passed": passed, "gate_rows": 61, "gate_tokens": 23_410, "champion_id": None, "checks": rows}


def _version(session: Session, run: TrainingRun, parent: ModelVersion, at: datetime) -> ModelVersion:
    name = f"{BASE}-{at:%Y%m%d-%H%M%S}"
    published = run.state is RunState.PUBLISHED
    version = ModelVersion(
        name=name, path=parent.path, sha256=_sha256(name), size_bytes=parent.size_bytes, parent_id=parent.id,
        run_id=run.id, state=VersionState.AVAILABLE if published else VersionState.REJECTED,
        metrics={"verdict": run.verdict}, created_at=at + timedelta(hours=3),
    )  # fmt: skip
    session.add(version)
    session.flush()
    return version


def _rows(session: Session, run_id: uuid.UUID, rng: random.Random) -> None:
    for number, verdict in enumerate(session.scalars(select(Feedback))):
        kept = number % 4 != 3
        row = TrainingRow(
            run_id=run_id, source_kind="correction" if verdict.correction else "rating", source_id=verdict.id,
            sha256=_sha256(f"{verdict.id}"), split=rng.choice(list(Split)) if kept else None, kept=kept,
            reason=None if kept else rng.choice(("near_duplicate", "secret", "too_long")),
        )  # fmt: skip
        session.add(row)


def _spread_use(session: Session, versions: Sequence[ModelVersion], rng: random.Random) -> None:
    """A month of calls; fewer on week-ends."""
    people = list(session.scalars(select(User)))
    now = datetime.now(UTC)
    for back in range(30):
        day = now - timedelta(days=back)
        calls = rng.randint(2, 6) if day.weekday() >= 5 else rng.randint(18, 40)
        session.add_all(_call(rng, day, rng.choice(people), rng.choice(versions)) for _ in range(calls))
    for user in people:
        if user.active:
            user.last_sign_in_at = now - timedelta(hours=rng.randint(1, 90))
    session.execute(update(Message).where(Message.author == "assistant").values(model_version_id=versions[0].id))


def _call(rng: random.Random, at: datetime, who: User, version: ModelVersion) -> ApiInteraction:
    infill = rng.random() < 0.6
    tokens = rng.randint(8, 40) if infill else rng.randint(80, 400)
    wait = rng.uniform(0.1, 0.6) if infill else rng.uniform(0.4, 3.0)
    return ApiInteraction(
        user_id=who.id, endpoint="/infill" if infill else "/v1/chat/completions", prompt={"text": "def parse("},
        parameters={}, response="    return ast.parse(source)", finish_reason="stop",
        accepted=rng.random() < 0.4 if infill else None, model_version_id=version.id,
        prompt_tokens=rng.randint(100, 900), completion_tokens=tokens, time_to_first_token_s=wait,
        duration_s=wait + tokens / 70, created_at=at - timedelta(minutes=rng.randint(0, 600)),
    )  # fmt: skip


def _audit(session: Session, action: str, subject: str, at: datetime, **details: Any) -> AuditLog:
    return AuditLog(action=action, subject=subject, details=details, created_at=at + timedelta(hours=3))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
