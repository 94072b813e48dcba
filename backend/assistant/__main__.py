"""``python -m assistant``: ``serve`` the backend, ``run`` the whole product on this machine, or manage API keys."""

import argparse
import gc
import json
import os
import sys
from pathlib import Path

gc.disable()  # what is imported stays: to look through it again and again is a quarter of the start

from assistant import commands  # noqa: E402
from assistant.config import SettingsError  # noqa: E402
from assistant.services.serving.files import DEFAULT_FILE, DEFAULT_REPO  # noqa: E402

gc.enable()

EX_CONFIG = 78


def main() -> int:
    arguments = _parser().parse_args()
    try:
        if arguments.command == "serve":
            return commands.serve()
        if arguments.command == "run":
            return commands.run()
        if arguments.command == "with-database":
            return commands.with_database(arguments.program)
        if arguments.command == "openapi":
            print(json.dumps(commands.openapi(), indent=2))
            return 0
        if arguments.command == "fetch-model":
            return commands.fetch_model(arguments.repo, arguments.file, arguments.sha256)
        if arguments.command == "use-model":
            return commands.use_model(arguments.path)
        limits = {name: getattr(arguments, name) for name in ("requests_per_minute", "tokens_per_minute")}
        return commands.create_key(arguments.email, arguments.name, **limits)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EX_CONFIG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assistant", description=__doc__)
    actions = parser.add_subparsers(dest="command", required=True)
    actions.add_parser("serve", help="serve the backend; PostgreSQL is at DATABASE_URL and migrated")
    actions.add_parser("run", help="serve everything on this machine, with an embedded PostgreSQL")
    program = actions.add_parser("with-database", help="run a program with DATABASE_URL set, as `run` would set it")
    program.add_argument("program", nargs="+", help="the program and its arguments, after --")
    actions.add_parser("openapi", help="print the OpenAPI description")
    fetch = actions.add_parser("fetch-model", help="download a GGUF file, check it, and print where it is")
    fetch.add_argument("--repo", default=DEFAULT_REPO, help="repository on the hub (default: %(default)s)")
    fetch.add_argument("--file", default=DEFAULT_FILE, help="file in it (default: %(default)s)")
    fetch.add_argument("--sha256", help="what the file must be (default: what the hub states)")
    use = actions.add_parser("use-model", help="serve a GGUF file from now on")
    use.add_argument("path", type=Path, help="the file")
    keys = actions.add_parser("keys", help="manage API keys").add_subparsers(dest="action", required=True)
    create = keys.add_parser("create", help="make an API key and print it, once")
    create.add_argument("--name", required=True, help="what the key is for")
    create.add_argument("--email", default=os.environ.get("ADMIN_EMAIL"), help="whose key it is (default: ADMIN_EMAIL)")
    for unit in ("requests", "tokens"):
        help_text = f"{unit} that it may use in a minute (default: as many as it likes)"
        create.add_argument(f"--{unit}-per-minute", type=_positive, metavar="N", help=help_text)
    return parser


def _positive(text: str) -> int:
    """A whole number above zero that the database can hold."""
    number = int(text)
    if not 0 < number < 2**31:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {2**31 - 1}")
    return number


if __name__ == "__main__":
    sys.exit(main())
