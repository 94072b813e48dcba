"""A weekly run that is over, in the database: its stages, its verdict, its rows, and the version that it made."""

import shutil
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import sync_engine
from codellama_core.models import Document, RunState, Split, TrainingRow, TrainingRun

CHECKS: list[dict[str, Any]] = [
    {
        "check": "gate NLL", "champion": 1.9134, "candidate": 1.7211, "passed": True, "interval": [-0.2513, -0.1331],
        "threshold": "95 % interval of the difference below 0 (is -0.2513 to -0.1331)",
    },
    {
        "check": "general-code NLL", "champion": 1.61, "candidate": 1.6231, "passed": True,
        "interval": [-0.0102, 0.0364], "threshold": "at most 1.6905 (+5%)",
    },
    {"check": "infill similarity", "champion": 41.2, "candidate": 43.9, "threshold": "at least 36.20", "passed": True},
    {"check": "chat template", "champion": "ab12", "candidate": "ab12", "threshold": "is ab12", "passed": True},
]  # fmt: skip
VERDICT: dict[str, Any] = {"passed": True, "champion_id": None, "gate_rows": 40, "gate_tokens": 15000, "checks": CHECKS}
STEPS = 30
STAGES: dict[str, Any] = {
    "extract": {
        "rows": {"train": 2, "dev": 1, "gate": 1}, "sources": {"document": 4}, "train_tokens": 51_200,
        "rejected": {"secret": 1}, "seconds": 4.2,
    },
    "train": {
        "steps": STEPS, "tokens": STEPS * 4096, "minutes": 3.4, "tokens_per_second": 602.3,
        "dev_loss_before": 2.4, "dev_loss_after": 1.81,
        "curve": {
            "train": [[step, round(2.5 * 0.985**step + 0.05 * (step % 3), 4)] for step in range(1, STEPS + 1)],
            "dev": [[0, 2.4], [15, 1.95], [30, 1.81]],
            "tokens_per_step": 4096,
        },
    },
    "export": {"quantization": "Q8_0", "size_bytes": 7_400_000, "gain_kept": {"Q8_0": 0.98}},
    "evaluate": {"passed": True, "gate_rows": 40, "seconds": 61.0},
    "publish": {"name": "second", "state": "available", "seconds": 2.0},
}  # fmt: skip


def write_past_run(url: str, folder: Path, model: Path) -> None:
    """``model`` with a byte behind it is the version ``second``, which nobody serves yet."""
    path = folder / "second.gguf"
    shutil.copy(model, path)
    with path.open("ab") as file:
        file.write(b"2")
    engine = sync_engine(url)
    with Session(engine) as session, session.begin():
        run = TrainingRun(
            id=uuid.uuid4(), state=RunState.PUBLISHED, stage="publish", base_model="demo", settings={}, stages=STAGES,
            verdict=VERDICT, progress={"stage": "publish", "fraction": 1.0}, dataset_fingerprint="0" * 64,
        )  # fmt: skip
        session.add(run)
        session.flush()
        _add_rows(session, run.id)
        version = registry.register(
            session, models_dir=folder / "models", path=path, name="second", sha256=registry.sha256_of(path),
            size_bytes=path.stat().st_size, run_id=run.id, metrics={"verdict": VERDICT},
        )  # fmt: skip
        assert Path(version.path).is_absolute()
    engine.dispose()


def _add_rows(session: Session, run_id: uuid.UUID) -> None:
    kept = zip(("lists", "trees", "dates", "words"), (Split.TRAIN, Split.TRAIN, Split.DEV, Split.GATE), strict=True)
    for name, split in kept:
        _add_row(session, run_id, name, split, None)
    _add_row(session, run_id, "secrets", None, "secret")


def _add_row(session: Session, run_id: uuid.UUID, name: str, split: Split | None, reason: str | None) -> None:
    content = f"def {name}(items):\n    return sorted(items)\n"
    document = Document(repo="past", path=f"{name}.py", language="python", sha256=name, content=content)
    session.add(document)
    session.flush()
    row = TrainingRow(run_id=run_id, source_kind="document", source_id=document.id, sha256=name, split=split)
    row.kept, row.reason = reason is None, reason
    session.add(row)
