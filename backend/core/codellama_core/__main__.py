"""``python -m codellama_core migrate``: the only thing that changes the schema."""

import argparse
import os
import sys
import time

from sqlalchemy.exc import OperationalError

from codellama_core.database import DatabaseUrlError, head_revision, migrate, sync_engine

EX_CONFIG = 78
EX_UNAVAILABLE = 69


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m codellama_core", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    migration = commands.add_parser("migrate", help="bring the schema of DATABASE_URL up to date")
    migration.add_argument("--wait", type=float, default=60, help="seconds to wait for the database (default 60)")
    arguments = parser.parse_args()
    url = os.environ.get("DATABASE_URL")
    if not url:
        print("DATABASE_URL is not set: postgresql://USER:PASSWORD@HOST:PORT/NAME", file=sys.stderr)
        return EX_CONFIG
    try:
        return _migrate(url, arguments.wait)
    except DatabaseUrlError as error:
        print(error, file=sys.stderr)
        return EX_CONFIG


def _migrate(url: str, wait_s: float) -> int:
    engine, deadline = sync_engine(url), time.monotonic() + wait_s
    while True:
        try:
            migrate(engine)
        except OperationalError as error:
            if time.monotonic() > deadline:
                print(f"The database did not answer within {wait_s:.0f} s: {error.orig}", file=sys.stderr)
                return EX_UNAVAILABLE
            print("waiting for the database …", file=sys.stderr)
            time.sleep(2)
        else:
            print(f"The database is at schema {head_revision()}.", file=sys.stderr)
            return 0


if __name__ == "__main__":
    sys.exit(main())
