"""The product from its images: ``docker-compose.yml`` as it stands, started with podman in the order that it asks for.

podman before 4.6 lets podman-compose wait for no health check, and without systemd it runs none: both are done here.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.e2e.site import EMAIL, PASSWORD
from tests.servers import eventually, free_port

ROOT: Final = Path(__file__).resolve().parents[2]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PROJECT: Final = "codellama-test-images"


def podman(*arguments: str) -> str:
    """What podman prints. Raises AssertionError with its own words when it fails."""
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


class Done(NamedTuple):
    code: int
    output: str


class Product:
    """A compose project with volumes of its own."""

    def __init__(self, folder: Path) -> None:
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        self._settings = folder / "compose.env"
        values = {
            "POSTGRES_PASSWORD": "0123456789abcdef", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD,
            "LISTEN_ADDRESS": address, "PUBLIC_URL": self.url,
        }  # fmt: skip
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in values.items()))

    def start(self) -> None:
        """Every service without a profile, each after what it depends on is healthy or has done its work."""
        services = {name: service for name, service in COMPOSE["services"].items() if "profiles" not in service}
        before = {name: service.get("depends_on", {}) for name, service in services.items()}
        for name in TopologicalSorter(before).static_order():
            self.compose("up", "--detach", "--no-build", "--no-deps", name)
            if "healthcheck" in services[name]:
                eventually(f"{name} is healthy", lambda name=name: self.is_healthy(name))
            else:
                podman("wait", self.container(name))
                assert self.inspect(name)["State"]["ExitCode"] == 0, self.logs(name)

    def end(self) -> None:
        """Its containers, networks and volumes are gone."""
        self.compose("down", "--volumes", "--timeout", "20")

    def compose(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.code == 0, done.output[-6000:]
        return done.output

    def run(self, *arguments: str) -> Done:
        """``podman-compose`` with these; the code that it ends with, and all that is printed."""
        command = ["podman-compose", "--env-file", str(self._settings), "--project-name", PROJECT, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return Done(done.returncode, done.stdout)

    def is_healthy(self, service: str) -> bool:
        """Raises AssertionError when it does not run any more."""
        assert self.inspect(service)["State"]["Running"], self.logs(service)
        command = ["podman", "healthcheck", "run", self.container(service)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def inspect(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(podman("inspect", self.container(service)))[0]
        return found

    def logs(self, service: str) -> str:
        done = subprocess.run(
            ["podman", "logs", self.container(service)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=True,
        )  # fmt: skip
        return done.stdout

    @staticmethod
    def container(service: str) -> str:
        return f"{PROJECT}_{service}_1"


@contextmanager
def running_product(folder: Path) -> Iterator[Product]:
    """The whole product, answering at its ``url`` until the block ends."""
    product = Product(folder)
    try:
        product.start()
        yield product
    finally:
        product.end()
