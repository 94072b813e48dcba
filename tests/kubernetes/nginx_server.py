"""Runs the nginx of this machine with ``frontend/nginx.conf``, as the image does after envsubst."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import free_port

TEMPLATE = Path(__file__).resolve().parents[2] / "frontend" / "nginx.conf"


def render(*, listen: str, web_root: Path, upstream: str, runtime_dir: Path, resolver: str = "127.0.0.1") -> str:
    """The configuration with its five variables replaced."""
    values = {
        "LISTEN": listen,
        "WEB_ROOT": str(web_root),
        "BACKEND_UPSTREAM": upstream,
        "NGINX_LOCAL_RESOLVERS": resolver,
        "RUNTIME_DIR": str(runtime_dir),
    }
    text = TEMPLATE.read_text()
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


@contextmanager
def running_nginx(
    web_root: Path, upstream: str, runtime_dir: Path, *, resolver: str = "127.0.0.1", port: int | None = None
) -> Iterator[int]:
    """Serve on a port of 127.0.0.1 until the block ends; gives the port. NGINX names another binary.

    Raises RuntimeError with nginx's own words where it does not start.
    """
    runtime_dir.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    configuration = runtime_dir / "nginx.conf"
    text = render(
        listen=f"127.0.0.1:{port}", web_root=web_root, upstream=upstream, runtime_dir=runtime_dir, resolver=resolver
    )
    configuration.write_text(text)
    with (runtime_dir / "access.log").open("w") as access, (runtime_dir / "error.log").open("w+") as errors:
        process = subprocess.Popen(_command(configuration), stdout=access, stderr=errors)
        try:
            _wait_until_it_listens(process, port, runtime_dir / "error.log")
            yield port
        finally:
            process.terminate()
            process.wait(timeout=20)


def _command(configuration: Path) -> list[str]:
    # As root, workers would become nobody and could not read a test's private folders.
    user = " user root;" if os.geteuid() == 0 else ""
    return [_binary(), "-e", "stderr", "-c", str(configuration), "-g", f"daemon off;{user}"]


def _binary() -> str:
    found = shutil.which(os.environ.get("NGINX", "nginx"), path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError("nginx is not installed: 'apt-get install nginx-light', or set NGINX to a binary")
    return found


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, errors: Path) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            try:
                process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
    raise RuntimeError(f"nginx did not start: {errors.read_text()}")
