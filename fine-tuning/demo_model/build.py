"""Build the demo model: corpus, tokenizer, training, Hugging Face folder.

Run in the folder fine-tuning: `python -m demo_model.build`.
"""

import argparse
import platform
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import torch

from .batches import Batches, SampleSource
from .corpus import load_corpus
from .exercises import load_exercises
from .export import export
from .samples import vocabulary_texts
from .tokenizer import Tokenizer, train_tokenizer
from .training import Settings, Trainer, held_out_losses

HERE = Path(__file__).parent
DEFAULT_WORK = Path(tempfile.gettempdir()) / "demo-model-work"


def main() -> None:
    """Train, exporting at every checkpoint; continue from --work if an earlier run was interrupted."""
    arguments = _arguments()
    settings = replace(Settings(), steps=arguments.steps, threads=arguments.threads)
    torch.set_num_threads(settings.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    tokenizer_file = arguments.work / "tokenizer.model"

    corpus, exercises = load_corpus(), load_exercises()
    if not tokenizer_file.exists():
        train_tokenizer(vocabulary_texts(corpus, exercises), tokenizer_file)
    tokenizer = Tokenizer(tokenizer_file)
    source = SampleSource.for_training(tokenizer, corpus, exercises)
    dev = SampleSource.for_dev(tokenizer, corpus)
    batches = Batches(source, settings.seed, settings.batch_tokens, settings.row_length)
    trainer = Trainer(settings, batches, arguments.work / "checkpoint.pt")
    trainer.resume()

    def publish(current: Trainer) -> None:
        losses = held_out_losses(current.model, tokenizer, dev)
        print("held out", {kind: asdict(loss) for kind, loss in losses.items()}, flush=True)
        export(current, tokenizer_file, corpus, len(exercises), losses, arguments.out)

    print(f"{len(corpus.train)} files, {len(corpus.train_definitions)} definitions, {len(exercises)} exercises")
    trainer.run(publish)
    publish(trainer)
    print(f"done on Python {platform.python_version()}: {arguments.out}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the model files (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for checkpoints (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=Settings.steps, help="optimizer steps (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=Settings.threads, help="CPU threads (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
