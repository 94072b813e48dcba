"""The whole product as compose and Kubernetes run it: nginx before the backend, accounts, the demo model.

    python -m tests.e2e.site [--content] -- npm run screenshots

runs a command in ``frontend/`` with BASE_URL, E2E_EMAIL and E2E_PASSWORD set, on a database of its own that is gone
afterwards. ``--content`` fills it with what an organisation would have after some weeks.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.e2e.content import fill
from tests.kubernetes.nginx_server import running_nginx
from tests.load.servers import embedded_database
from tests.servers import Backend

ROOT: Final = Path(__file__).resolve().parents[2]
EMAIL, PASSWORD = "ada@example.org", "correct horse battery staple"
ACCOUNTS: Final = {"AUTH_MODE": "accounts", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD}


def environment_of(address: str) -> dict[str, str]:
    """What a browser test is told of the site."""
    return {**os.environ, "BASE_URL": address, "E2E_EMAIL": EMAIL, "E2E_PASSWORD": PASSWORD}


@contextmanager
def running_site(folder: Path, *, content: bool) -> Iterator[str]:
    """Serve the built front end and a backend of its own; gives the address."""
    model = folder / "demo-model.gguf"
    export = [sys.executable, "-m", "finetuning", "export-base", str(ROOT / "fine-tuning" / "demo_model"), str(model)]
    subprocess.run([*export, "--quantize", "Q8_0"], check=True, stdout=subprocess.DEVNULL)
    with ExitStack() as stack:
        database_url = stack.enter_context(embedded_database(folder))
        backend = stack.enter_context(Backend(folder, database_url, model, **ACCOUNTS))
        dist, upstream = ROOT / "frontend" / "dist", f"127.0.0.1:{backend.port}"
        port = stack.enter_context(running_nginx(dist, upstream, folder / "nginx"))
        address = f"http://127.0.0.1:{port}"
        if content:
            fill(address, database_url, EMAIL, PASSWORD)
        yield address


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", action="store_true", help="fill the site before the command runs")
    parser.add_argument("command", nargs="+", help="after --, the command to run")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder), content=options.content) as address,
    ):
        print(f"the site is at {address}, {EMAIL} signs in with: {PASSWORD}", flush=True)
        command = subprocess.run(options.command, cwd=ROOT / "frontend", env=environment_of(address), check=False)
    return command.returncode


if __name__ == "__main__":
    sys.exit(main())
