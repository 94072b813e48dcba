"""What people did, written to the tables; a stage's context; the command line as a process."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.documents import SourceFile
from codellama_core.models import (
    ApiInteraction,
    Attachment,
    Author,
    Conversation,
    Document,
    Feedback,
    Message,
    MessageStatus,
    ModelVersion,
    TrainingRun,
    User,
)
from finetuning.base_model import identity
from finetuning.config import Environment, Settings
from finetuning.context import Context
from finetuning.progress import Progress
from finetuning.runs import open_run

PATIENCE_S = 300
ROOT = Path(__file__).resolve().parents[2]
OWN_SOURCE = ROOT / "fine-tuning" / "finetuning"
SMALL: dict[str, Any] = {
    "extract": {"max_tokens": 256, "min_gate_rows": 3, "gate_share": 0.2, "dev_share": 0.1, "max_train_tokens": 12_000},
    "train": {
        "sequence_length": 256,
        "tokens_per_step": 1024,
        "learning_rate": 3e-3,
        "warmup_steps": 1,
        "max_steps": 6,
        "eval_every": 4,
        "dev_tokens": 1000,
        "compute": "float32",
    },
    "export": {"quantization": "Q8_0", "survival_tensors": 2, "kept_tokens": 0},
    "evaluate": {
        "gate_tokens": 2500,
        "probe_tokens": 1000,
        "probe_tolerance": 0.2,
        "infill_rows": 1,
        "infill_tolerance": 100.0,
        "ending_rows": 1,
        "generate_tokens": 8,
        "tasks": 1,
        "secrets": 1,
        "speed_rounds": 1,
        "speed_tokens": 4,
        "speed_tolerance": 1.0,
    },
}


def settings(**sections: dict[str, Any]) -> Settings:
    """SMALL with some values of some sections replaced."""
    return Settings.model_validate(
        {name: {**SMALL.get(name, {}), **sections.get(name, {})} for name in [*SMALL, *sections]}
    )


class World:
    """Short ways to put rows into a database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def user(self, *, consent: bool = True) -> uuid.UUID:
        """A new user."""
        name = uuid.uuid4().hex
        return self._add(User(email=f"{name}@test", name=name, training_consent=consent))

    def conversation(self, user: uuid.UUID, **values: Any) -> uuid.UUID:
        return self._add(Conversation(user_id=user, title="a chat", **values))

    def message(
        self, conversation: uuid.UUID, author: Author, content: str, parent: uuid.UUID | None = None, **values: Any
    ) -> uuid.UUID:
        """One turn of a conversation."""
        values = {"status": MessageStatus.DONE, **values}
        row = Message(conversation_id=conversation, author=author, content=content, parent_id=parent, **values)
        return self._add(row)

    def answered(self, question: str, answer: str, user: uuid.UUID | None = None, **values: Any) -> uuid.UUID:
        """A question and its answer in a conversation of their own; the answer's id."""
        conversation = self.conversation(user or self.user())
        asked = self.message(conversation, Author.USER, question)
        return self.message(conversation, Author.ASSISTANT, answer, asked, **values)

    def attachment(self, message: uuid.UUID, name: str, content: str) -> uuid.UUID:
        """A file that was attached to a question."""
        return self._add(Attachment(message_id=message, name=name, content=content))

    def feedback(
        self,
        message: uuid.UUID,
        rating: int | None = None,
        correction: str | None = None,
        user: uuid.UUID | None = None,
    ) -> uuid.UUID:
        row = Feedback(message_id=message, user_id=user or self.user(), rating=rating, correction=correction)
        return self._add(row)

    def call(self, prompt: dict[str, Any], response: str, *, accepted: bool | None, **values: Any) -> uuid.UUID:
        """A call of the API."""
        fixed = {"endpoint": "/v1", "parameters": {}, "prompt_tokens": 1, "completion_tokens": 1, "duration_s": 1.0}
        values = {"user_id": self.user(), "finish_reason": "stop", **fixed, **values}
        return self._add(ApiInteraction(prompt=prompt, response=response, accepted=accepted, **values))

    def document(self, path: str, content: str, **values: Any) -> uuid.UUID:
        """A source file."""
        sha256 = SourceFile(path, "python", content).sha256
        values = {"repo": "repo", "language": "python", **values}
        return self._add(Document(path=path, content=content, sha256=sha256, **values))

    def run(self) -> TrainingRun:
        """The newest run."""
        with Session(self.engine) as session:
            return session.scalars(select(TrainingRun).order_by(TrainingRun.started_at.desc())).first() or TrainingRun()

    def _add(self, row: Any) -> uuid.UUID:
        with Session(self.engine) as session, session.begin():
            session.add(row)
            session.flush()
            return uuid.UUID(str(row.id))


def make_context(engine: Engine, base: Path, models_dir: Path, chosen: Settings) -> Context:
    """The context of a stage of a new or unfinished run."""
    record, _ = open_run(engine, identity(base), chosen.model_dump(mode="json"), timedelta(hours=1))
    environment = Environment("", models_dir, base, Path(), None, threads=1)
    return Context(chosen, environment, engine, record, Progress(record, "test", threading.Event(), quiet=True))


class Cli:
    """``python -m finetuning`` as a process."""

    def __init__(self, database_url: str, folder: Path, base: Path, chosen: Settings) -> None:
        self.models_dir = folder / "models"
        config = folder / "settings.yaml"
        config.write_text(yaml.safe_dump(chosen.model_dump(mode="json")))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FINETUNE_")},
            "DATABASE_URL": database_url,
            "MODELS_DIR": str(self.models_dir),
            "FINETUNE_BASE": str(base),
            "FINETUNE_CONFIG": str(config),
            "N_THREADS": "1",
        }

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command and go on."""
        command = [sys.executable, "-m", "finetuning", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment, text=True, stdout=pipe, stderr=pipe, **options)

    def __call__(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=500)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def champion(engine: Engine) -> ModelVersion | None:
    """The version that is served."""
    with Session(engine, expire_on_commit=False) as session:
        return registry.champion(session)


def serve_base(engine: Engine, cli: Cli, kind: str = "Q8_0") -> ModelVersion:
    """Make the base model champion, as the server does at its first start."""
    path = cli.models_dir / "base" / "demo" / "model.gguf"
    assert cli("export-base", cli.environment["FINETUNE_BASE"], str(path), "--quantize", kind).returncode == 0
    with Session(engine, expire_on_commit=False) as session, session.begin():
        file: dict[str, Any] = {"path": path, "sha256": registry.sha256_of(path), "size_bytes": path.stat().st_size}
        version = registry.register(session, models_dir=cli.models_dir, name="demo", **file)
        registry.promote(session, version.id)
        return version


def wait_for(what: str, condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until ``condition`` holds; fails when the process ends before or it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, f"ended before {what}: {process.communicate()}"
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S} s"
        time.sleep(0.02)


def kill(process: subprocess.Popen[str], how: int = signal.SIGKILL) -> int:
    """Send a signal and wait; the exit code."""
    process.send_signal(how)
    process.communicate(timeout=PATIENCE_S)
    return process.returncode


def files_below(folder: Path) -> list[str]:
    """Paths of all files in a folder, from there on."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def limit_files(size: int) -> Callable[[], None]:
    """No file of the process may grow beyond ``size`` bytes: what a full disk is like, from the kernel itself."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
