"""Learn an in-house library with the demo model, and show what it is good for: python -m tests.fine_tuning.in_house

Code that uses the library is taken in with `finetuning ingest`, one run is made with the demo's settings, and the calls
of the library in other code are completed before and after. Takes some minutes on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import sync_engine
from codellama_core.models import ModelVersion, TrainingRun
from finetuning.base_model import BaseModel
from finetuning.evaluate import table
from finetuning.export import make_model
from finetuning.llama import LlamaModel
from tests.fine_tuning.in_house.corpus import Place, called, places, write_corpus
from tests.load.servers import embedded_database

ROOT: Final = Path(__file__).resolve().parent.parent.parent.parent
DEMO: Final = ROOT / "fine-tuning" / "demo_model"
PLACES: Final = 100
REFUSED: Final = 3
"""The gate's exit code; what the version can do is shown all the same."""
PROMPT: Final = 700
ANSWER: Final = 40


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fine_tuning.in_house", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--minutes", type=float, default=60.0, help="of training, at most")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="in-house-") as name, embedded_database(Path(name)) as url:
        folder = Path(name)
        held_out = places(write_corpus(folder / "code"), PLACES)
        base = BaseModel.load(DEMO)
        make_model(base, folder / "base.gguf", "Q8_0", arguments.threads)
        before = _completed(folder / "base.gguf", base, held_out, arguments.threads)
        environment = {
            **os.environ, "DATABASE_URL": url, "MODELS_DIR": str(folder / "models"), "FINETUNE_BASE": str(DEMO),
            "FINETUNE_CONFIG": str(_config(folder, arguments.minutes)), "N_THREADS": str(arguments.threads),
        }  # fmt: skip
        for command, codes in ((["ingest", str(folder / "code")], (0,)), (["run"], (0, REFUSED))):
            done = subprocess.run([sys.executable, "-m", "finetuning", *command], env=environment)
            if done.returncode not in codes:
                return done.returncode
        run, file = _made(url, folder / "models")
        after = _completed(file, base, held_out, arguments.threads)
    print(f"{len(held_out)} calls of the library in code that was kept back, completed exactly:")
    for what, right in (("before", before), ("after", after)):
        print(f"  {what:7}{sum(right):4}, e.g. {_example(held_out, right)}")
    train = run.stages["train"]
    print(f"dev loss {train['dev_loss_before']} before, {train['dev_loss_after']} after {train['tokens']} tokens")
    print(table(run.verdict or {"checks": []}))
    return 0 if sum(after) >= sum(before) + PLACES / 10 else 1


def _config(folder: Path, minutes: float) -> Path:
    """The demo's settings with time enough on a slow machine, and gentler: so narrow a corpus makes it forget soon."""
    settings = yaml.safe_load((ROOT / "fine-tuning" / "configs" / "demo.yaml").read_text())
    settings["train"] |= {"max_minutes": minutes, "learning_rate": 5e-4, "max_epochs": 5.0}
    settings["extract"]["replay_share"] = 0.35
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return folder / "config.yaml"


def _completed(file: Path, base: BaseModel, held_out: list[Place], threads: int) -> list[bool]:
    """Which calls the model writes as they stand."""
    tokenize, bos = base.vocabulary.tokenize, base.vocabulary.special.bos
    right = []
    with LlamaModel(file, threads=threads, context=PROMPT + ANSWER + 1) as model:
        for place in held_out:
            prompt = [bos, *list(tokenize(place.before))[-PROMPT:]]
            answer = [token for token in model.continue_greedily(prompt, ANSWER) if not model.ends(token)]
            right.append(called(model.text(answer)) == place.call)
    return right


def _made(url: str, models: Path) -> tuple[TrainingRun, Path]:
    """The run, and the version that it made, whatever the gate said."""
    engine = sync_engine(url)
    with Session(engine, expire_on_commit=False) as session:
        run = session.scalars(select(TrainingRun)).one()
        version = session.scalars(select(ModelVersion).where(ModelVersion.run_id == run.id)).one()
        return run, registry.file_of(version, models)


def _example(held_out: list[Place], right: list[bool]) -> str:
    return next((json.dumps(place.call) for place, hit in zip(held_out, right, strict=True) if hit), "none")


if __name__ == "__main__":
    sys.exit(main())
