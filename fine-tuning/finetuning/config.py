"""What a run is told: a YAML file of settings, and the environment, which only this module reads."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from codellama_core.licenses import ALLOWED
from codellama_core.resources import limits
from finetuning.errors import ConfigError

Quantization = Literal["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)
"""From the most precise on."""
Share = Annotated[float, Field(ge=0, lt=1)]
DEFAULT_CONFIG = Path(__file__).parent.parent / "configs" / "demo.yaml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExtractSettings(_Section):
    """Which rows there are, and into which parts they go. Shares are of all rows; tokens are the model's.

    ``languages``: of which programming languages source files are learned, None for all.
    """

    max_tokens: int = Field(default=1024, ge=64, le=16_384)
    min_gate_rows: int = Field(default=30, ge=1)
    gate_share: Share = 0.1
    dev_share: Share = 0.05
    replay_share: Share = 0.2
    near_duplicate: float = Field(default=0.85, gt=0, le=1)
    infills_per_1000_tokens: float = Field(default=2.0, ge=0)
    languages: tuple[str, ...] | None = None
    max_train_tokens: int = Field(default=5_000_000, ge=1)
    seed: int = 0


class TrainSettings(_Section):
    """LoRA and its optimizer. Training ends at the first of its limits, or when the dev loss stops falling.

    Steps, epochs and tokens also set the length of the learning-rate schedule; minutes do not. ``mode``: fast, or lean
    on memory (``finetuning.memory``); auto takes fast where the memory limit allows it.
    """

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    warmup_steps: int = Field(default=5, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    sequence_length: int = Field(default=1024, ge=64)
    tokens_per_step: int = Field(default=8192, ge=64)
    max_steps: int | None = Field(default=None, ge=1)
    max_epochs: float = Field(default=3.0, gt=0)
    max_tokens: int = Field(default=20_000_000, ge=1)
    max_minutes: float = Field(default=60.0, gt=0)
    dev_tokens: int = Field(default=20_000, ge=1)
    eval_every: int = Field(default=10, ge=1)
    patience: int = Field(default=3, ge=1)
    checkpoint_seconds: float = Field(default=120.0, ge=0)
    compute: Literal["auto", "float32", "bfloat16"] = "auto"
    mode: Literal["auto", "fast", "lean"] = "auto"
    seed: int = 0


class ExportSettings(_Section):
    """Where ``quantization`` keeps less than ``least_kept`` of what was learned, the next more precise one is taken.

    That is told by ``kept_tokens`` of the dev rows; 0 leaves it out.
    """

    quantization: Quantization = "Q4_K_M"
    least_kept: float = Field(default=0.8, ge=0, le=1)
    kept_tokens: int = Field(default=4000, ge=0)
    survival_tensors: int = Field(default=28, ge=0)


class EvaluateSettings(_Section):
    """Limits of the gate.

    Tolerances: probe and speed as shares of the champion's NLL and tokens per second, infill in points of 100, tasks
    in number. ``secrets``: how many at most are asked for; ``speed_rounds``: three times as many when it is close.
    """

    gate_tokens: int = Field(default=20_000, ge=1)
    probe_tokens: int = Field(default=10_000, ge=1)
    probe_tolerance: float = Field(default=0.01, ge=0)
    infill_rows: int = Field(default=20, ge=0)
    infill_tolerance: float = Field(default=2.0, ge=0)
    ending_rows: int = Field(default=10, ge=0)
    ending_tolerance: int = Field(default=1, ge=0)
    generate_tokens: int = Field(default=128, ge=1)
    tasks: int = Field(default=50, ge=0)
    task_tolerance: int = Field(default=2, ge=0)
    secrets: int = Field(default=20, ge=1)
    speed_rounds: int = Field(default=5, ge=1)
    speed_tokens: int = Field(default=32, ge=1, le=256)
    speed_tolerance: float = Field(default=0.05, ge=0, le=1)
    bootstrap_samples: int = Field(default=2000, ge=100)


class PublishSettings(_Section):
    keep_versions: int = Field(default=5, ge=1)
    keep_runs: int = Field(default=5, ge=1)
    resume_within_hours: float = Field(default=72.0, gt=0)


class Settings(_Section):
    """One run's settings; a YAML file under ``configs`` holds them, every key optional."""

    extract: ExtractSettings = ExtractSettings()
    train: TrainSettings = TrainSettings()
    export: ExportSettings = ExportSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    publish: PublishSettings = PublishSettings()

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        if self.extract.max_tokens > self.train.sequence_length:
            raise ValueError("extract.max_tokens must not be larger than train.sequence_length")
        return self


@dataclass(frozen=True, slots=True)
class Environment:
    """Where things are. ``source`` is a folder to take in before each run, None for none.

    ``licenses`` are those under which code is learned from, by SPDX identifier.
    """

    database_url: str
    models_dir: Path
    base: Path
    config: Path
    source: Path | None
    threads: int
    licenses: tuple[str, ...] = ALLOWED


def load_settings(path: Path) -> Settings:
    """Read a YAML file of settings. Raises ConfigError that names the key and what is wrong with it."""
    try:
        content: Any = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError as error:
        raise ConfigError(f"FINETUNE_CONFIG: {path} is not there.") from error
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"FINETUNE_CONFIG: {path} cannot be read: {error}.") from error
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{path}: {problems}.") from error


def environment() -> Environment:
    """The process's environment. Raises ConfigError for a missing or unusable value."""
    models_dir = os.environ.get("MODELS_DIR", "")
    if not models_dir:
        raise ConfigError("MODELS_DIR is not set: give the folder that holds base/, versions/ and runs/.")
    source = os.environ.get("FINETUNE_SOURCE")
    return Environment(
        database_url=database_url(),
        models_dir=Path(models_dir).resolve(),
        base=_folder("FINETUNE_BASE", os.environ.get("FINETUNE_BASE", "fine-tuning/demo_model")),
        config=Path(os.environ.get("FINETUNE_CONFIG") or DEFAULT_CONFIG),
        source=_folder("FINETUNE_SOURCE", source) if source else None,
        threads=thread_count(),
        licenses=training_licenses(),
    )


def training_licenses() -> tuple[str, ...]:
    """TRAINING_LICENSES, separated by commas; by default the permissive ones, and code without any license."""
    names = [name.strip() for name in os.environ.get("TRAINING_LICENSES", "").split(",")]
    return tuple(name for name in names if name) or ALLOWED


def database_url() -> str:
    """DATABASE_URL. Raises ConfigError when it is not set."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise ConfigError("DATABASE_URL is not set: give the PostgreSQL database of the assistant.")
    return url


def prepare_libraries() -> None:
    """Keep the Hugging Face libraries from the network unless HF_HUB_OFFLINE=0, and from drawing progress bars.

    Call before importing them.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        os.environ[name] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def git_environment() -> dict[str, str]:
    """The environment for a git that asks for nothing, waits for nobody, and knows of no other work tree."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    return {
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=30",
        **inherited,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }


def limit_threads(threads: int) -> None:
    """Tell OpenMP and BLAS how many threads to start, and torch to ask for huge pages; call before importing them.

    Waiting threads sleep instead of spinning: beside other busy processes that trains five times as fast. Writing
    a large result to fresh memory takes a third of the time with huge pages.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


def _folder(name: str, value: str) -> Path:
    path = Path(value)
    if not path.is_dir():
        raise ConfigError(f"{name}: {path} is not a folder.")
    return path.resolve()


def thread_count() -> int:
    """N_THREADS, or what the cgroup and the affinity allow. Raises ConfigError for anything but a positive number."""
    value = os.environ.get("N_THREADS")
    if not value:
        return limits().cpus
    if not value.isdigit() or int(value) < 1:
        raise ConfigError(f"N_THREADS must be a whole number of at least 1, not {value!r}.")
    return int(value)
