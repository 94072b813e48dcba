"""Runs the Prometheus of this machine on one backend, with the labels that a cluster's would add."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import yaml

from tests.servers import eventually, free_port

LABELS = {"namespace": "codellama", "pod": "codellama-deployment-a"}


class Series(NamedTuple):
    labels: dict[str, str]
    value: float


class Prometheus(NamedTuple):
    """``at`` is when expressions are evaluated, in Unix seconds; None is now, when a slow scrape may have failed."""

    client: httpx.Client
    at: float | None = None

    def ask(self, expression: str) -> list[Series]:
        """The instant vector of an expression. Fails with Prometheus' own words where it has an error."""
        question = {"query": expression, **({"time": f"{self.at:.3f}"} if self.at else {})}
        answer = self.client.post("/api/v1/query", data=question).json()
        assert answer["status"] == "success", f"{expression}: {answer['error']}"
        assert not answer.get("warnings"), answer
        return [Series(item["metric"], float(item["value"][1])) for item in answer["data"]["result"]]


@contextmanager
def running_prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Scrape ``target`` (host:port) twice a second until the block ends."""
    binary = shutil.which("prometheus")
    assert binary, "prometheus is not installed: 'apt-get install prometheus'"
    configuration: dict[str, Any] = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
        "scrape_configs": [{"job_name": "codellama", "static_configs": [{"targets": [target], "labels": LABELS}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{free_port()}"
    command = [
        binary, "--config.file=prometheus.yml", f"--web.listen-address={address}", "--storage.tsdb.path=data",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://{address}", timeout=30) as client:
                eventually(f"Prometheus is ready: {folder}/prometheus.log", lambda: _is_ready(process, client, folder))
                yield Prometheus(client)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _is_ready(process: subprocess.Popen[bytes], client: httpx.Client, folder: Path) -> bool:
    assert process.poll() is None, (folder / "prometheus.log").read_text()
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False
