"""``python -m finetuning``: the weekly pipeline, its stages, and the tools around it."""

import argparse
import logging
import sys
import tempfile
import uuid
from pathlib import Path

from finetuning.config import limit_threads, thread_count
from finetuning.errors import FinetuneError
from finetuning.imports import importing

STAGES = ("extract", "train", "export", "evaluate", "publish")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors become one sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        limit_threads(thread_count())
        return int(options.action(options) or 0)
    except FinetuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:
        logging.getLogger("finetuning").exception("failed")
        print(f"Failed, may be tried again: {error or error.__class__.__name__}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m finetuning", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="all stages; goes on with the newest unfinished run of the same settings")
    run.add_argument("--config", type=Path, help="settings (default: FINETUNE_CONFIG, else configs/demo.yaml)")
    run.set_defaults(action=_run)
    for name in STAGES:
        stage = commands.add_parser(name, help=f"the stage {name} alone")
        stage.add_argument("--run", type=uuid.UUID, help="which run (default: the newest; extract opens a new one)")
        stage.add_argument("--config", type=Path, help="settings, as for run")
        stage.set_defaults(action=_stage)
    commands.add_parser("rollback", help="serve the previous version again").set_defaults(action=_rollback)
    commands.add_parser("doctor", help="what a run would find").set_defaults(action=_doctor)
    _add_ingest(commands.add_parser("ingest", help="take a folder or a git repository in, to train on"))
    _add_export_base(commands.add_parser("export-base", help="a GGUF file from a Hugging Face folder (without torch)"))
    return parser


def _add_ingest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a folder, or the address of a git repository")
    parser.add_argument("--ref", help="branch, tag or commit (default: the folder as it is, or the repository's HEAD)")
    parser.add_argument("--repo", help="name to keep it under (default: the folder's or repository's name)")
    parser.add_argument("--license", help="license of the code, in place of what its license files say")
    parser.add_argument("--language", action="append", help="only this language; may be given again")
    parser.set_defaults(action=_ingest)


def _add_export_base(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder with config.json, *.safetensors and tokenizer.model")
    parser.add_argument("output", type=Path, help="the GGUF file to write")
    parser.add_argument("--quantize", default="F16", help="F16 (default), Q8_0, Q6_K, Q5_K_M, Q4_K_M or Q4_0")
    parser.add_argument("--name", help="general.name in the file (default: the folder's name)")
    parser.set_defaults(action=_export_base)


def _run(options: argparse.Namespace) -> None:
    with importing():
        from finetuning import command

    print(command.run_all(options.config))


def _stage(options: argparse.Namespace) -> None:
    with importing():
        from finetuning import command

    print(command.run_stage(options.command, options.run, options.config))


def _rollback(options: argparse.Namespace) -> None:
    with importing():
        from finetuning import command

    print(command.roll_back())


def _doctor(options: argparse.Namespace) -> int:
    with importing():
        from finetuning import command

    return command.examine()


def _ingest(options: argparse.Namespace) -> None:
    with importing():
        from finetuning import command

    print(command.take_in(options.source, options.ref, options.repo, options.license, options.language))


def _export_base(options: argparse.Namespace) -> None:
    from finetuning.base_model import BaseModel
    from finetuning.gguf_model import write_model
    from finetuning.quantize import check_kind, quantize

    check_kind(options.quantize)
    base = BaseModel.load(options.folder, options.name)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    if options.quantize == "F16":
        write_model(base, options.output)
    else:
        with tempfile.TemporaryDirectory(dir=options.output.parent, prefix=".export-") as folder:
            write_model(base, Path(folder) / "model.gguf")
            quantize(Path(folder) / "model.gguf", options.output, options.quantize, thread_count())
    print(f"{options.output}: {base.name}, {options.quantize}, {options.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(main())
