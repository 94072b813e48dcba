"""INSTALL.md names files, objects, services and variables that exist."""

import re

import yaml

from tests.kubernetes.rendered import ROOT, rendering

GUIDE = (ROOT / "INSTALL.md").read_text()


def test_paths_exist() -> None:
    paths = re.findall(r"kubernetes/[\w./-]+[\w]", GUIDE)
    paths += [f"kubernetes/overlays/single-node/{path}" for path in re.findall(r"\.\./\.\./[\w/-]+", GUIDE)]
    assert len(paths) > 4
    for path in paths:
        assert (ROOT / path).exists(), path


def test_objects_exist() -> None:
    objects = {(item["kind"].lower(), item["metadata"]["name"]) for item in rendering("single-node")}
    mentioned = set(re.findall(r"\b(deployment|cronjob|service)/([a-z-]+)", GUIDE))
    assert len(mentioned) > 3
    assert mentioned <= objects
    assert ("persistentvolumeclaim", "codellama-pvc") in objects
    assert set(re.findall(r"NODE:(\d+)", GUIDE)) == {
        str(port["nodePort"])
        for item in rendering("single-node")
        if item["kind"] == "Service"
        for port in item["spec"]["ports"]
        if "nodePort" in port
    }


def test_compose_services_exist() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    pattern = r"docker compose (?:exec(?: -T)?|stop|logs|run --rm(?: --no-deps)?(?: -[ve] \S+)*) +([a-z]+)"
    mentioned = set(re.findall(pattern, GUIDE.replace("\\\n", " ")))
    assert {"backend", "finetune", "postgres"} <= mentioned <= services.keys()


def test_variables_of_the_environment_file_are_explained_there() -> None:
    example = (ROOT / ".env.example").read_text()
    for name in ("POSTGRES_PASSWORD", "ADMIN_PASSWORD", "ADMIN_EMAIL", "PUBLIC_URL", "LISTEN_ADDRESS", "TORCH_INDEX"):
        assert name in GUIDE
        assert f"\n{name}=" in example
