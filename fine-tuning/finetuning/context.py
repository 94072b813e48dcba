"""What every stage is given."""

import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from finetuning.base_model import BaseModel
from finetuning.config import Environment, Settings
from finetuning.progress import Progress
from finetuning.runs import RunRecord


@dataclass(frozen=True)
class Context:
    """One stage of one run: settings, places, the database, and where to report."""

    settings: Settings
    environment: Environment
    engine: Engine
    record: RunRecord
    progress: Progress

    @property
    def run_id(self) -> uuid.UUID:
        return self.record.id

    @property
    def folder(self) -> Path:
        """``MODELS_DIR/runs/<id>``: data set, checkpoints, reports."""
        return self.environment.models_dir / "runs" / str(self.run_id)

    @property
    def staging(self) -> Path:
        """``MODELS_DIR/.staging/<id>``: model files that are not published yet."""
        return self.environment.models_dir / ".staging" / str(self.run_id)

    @property
    def version_folder(self) -> Path:
        """``MODELS_DIR/versions/<id>``: where this run's model files end."""
        return self.environment.models_dir / "versions" / str(self.run_id)

    @cached_property
    def base(self) -> BaseModel:
        """The model that is fine-tuned."""
        return BaseModel.load(self.environment.base)
