"""``kubernetes/secrets.sh``: passwords are made, not shipped, and fit where they are used."""

import base64
import os
import subprocess

import yaml

from tests.kubernetes.rendered import KUBERNETES


def script(**given: str) -> subprocess.CompletedProcess[str]:
    names = ("ADMIN_EMAIL", "ADMIN_PASSWORD", "POSTGRES_PASSWORD", "HF_TOKEN")
    env = {name: value for name, value in os.environ.items() if name not in names}
    command = [str(KUBERNETES / "secrets.sh"), "--print"]
    return subprocess.run(command, env=env | given, capture_output=True, text=True, check=False)


def values(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    secret = yaml.safe_load(done.stdout)
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == ("codellama-secrets", "codellama")
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def test_passwords_are_random_and_the_address_carries_the_databases() -> None:
    first, second = (values(script(ADMIN_EMAIL="ada@example.com")) for _ in range(2))
    assert first.keys() == {"POSTGRES_PASSWORD", "DATABASE_URL", "ADMIN_EMAIL", "ADMIN_PASSWORD"}
    assert first["ADMIN_EMAIL"] == "ada@example.com"
    for key in ("POSTGRES_PASSWORD", "ADMIN_PASSWORD"):
        assert len(first[key]) == 48
        assert first[key] != second[key]
    password = first["POSTGRES_PASSWORD"]
    assert first["DATABASE_URL"] == f"postgresql://codellama:{password}@postgres-service:5432/codellama"


def test_given_values_are_taken_over_as_they_are() -> None:
    found = values(script(ADMIN_EMAIL="a@b.c", ADMIN_PASSWORD=r"tricky \n $HOME 'word'", HF_TOKEN="hf_1"))
    assert found["ADMIN_PASSWORD"] == r"tricky \n $HOME 'word'"
    assert found["HF_TOKEN"] == "hf_1"


def test_a_missing_administrator_or_an_unusable_password_is_explained() -> None:
    missing = script()
    assert missing.returncode == 64
    assert "ADMIN_EMAIL" in missing.stderr
    unusable = script(ADMIN_EMAIL="a@b.c", POSTGRES_PASSWORD="p@ss/word")
    assert unusable.returncode == 64
    assert "POSTGRES_PASSWORD" in unusable.stderr
