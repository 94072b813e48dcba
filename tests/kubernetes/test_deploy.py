"""``make deploy``: secrets before objects, then patience, then what a person needs to know."""

from base64 import b64encode
from pathlib import Path

import pytest

from tests.kubernetes.commands import Commands
from tests.kubernetes.rendered import KUBERNETES, of_kind, rendering

SCRIPT = KUBERNETES / "deploy.sh"
EMAIL = b64encode(b"ada@example.com").decode()
NODE_PORT = (("*nodePort*", "printf 30080"), ("*.spec.type*", "printf NodePort"), ("*InternalIP*", "printf 10.0.0.11"))
NO_SECRET = tuple((f"*get secret codellama-secrets{end}", "exit 1") for end in ("", " --namespace codellama"))
SIGN_IN = ("*ADMIN_EMAIL*", f"printf {EMAIL}")


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    made = Commands(tmp_path)
    made.add("kubectl", SIGN_IN, *NODE_PORT)
    return made


def test_the_overlay_is_applied_and_awaited(commands: Commands) -> None:
    done = commands.run(SCRIPT, "single-node")
    assert done.returncode == 0, done.stderr
    applied = commands.calls.index(f"kubectl apply -k {KUBERNETES}/overlays/single-node")
    waited = [call.split()[5] for call in commands.calls[applied:] if " rollout status " in call]
    deployments = {item["metadata"]["name"] for item in of_kind(rendering("single-node"), "Deployment")}
    assert {name.removeprefix("deployment/") for name in waited} == deployments


def test_the_end_says_where_it_is_and_how_to_sign_in(commands: Commands) -> None:
    lines = commands.run(SCRIPT, "single-node").stdout
    assert "http://10.0.0.11:30080\n" in lines
    assert "ada@example.com" in lines
    assert "get secret codellama-secrets -o jsonpath='{.data.ADMIN_PASSWORD}' | base64 -d" in lines
    assert "python -m assistant keys create" in lines


def test_no_password_is_printed(commands: Commands) -> None:
    commands.run(SCRIPT, "single-node")
    assert not [call for call in commands.calls if "PASSWORD" in call]


@pytest.mark.parametrize(
    ("answers", "address"),
    [
        ((("*codellama-ingress*", "printf chat.example.com"),), "https://chat.example.com"),
        ((("*.spec.type*", "printf LoadBalancer"), ("*loadBalancer*", "printf 10.0.0.40")), "http://10.0.0.40"),
        ((("*.spec.type*", "printf LoadBalancer"),), "port-forward service/codellama-frontend-service 8080:80"),
        ((("*.spec.type*", "printf ClusterIP"),), "port-forward service/codellama-frontend-service 8080:80"),
    ],
    ids=["ingress", "load-balancer", "load-balancer-pending", "cluster"],
)
def test_the_address_is_the_one_that_the_overlay_opens(
    commands: Commands, answers: tuple[tuple[str, str], ...], address: str
) -> None:
    commands.add("kubectl", SIGN_IN, *answers)
    assert f"{address}\n" in commands.run(SCRIPT, "single-node").stdout


def test_the_first_time_makes_the_secret_before_anything_else(commands: Commands) -> None:
    commands.add("kubectl", *NO_SECRET, SIGN_IN, *NODE_PORT)
    assert commands.run(SCRIPT, "single-node", ADMIN_EMAIL="ada@example.com").returncode == 0
    verbs = [call for call in commands.calls if " create " in call or " apply " in call]
    assert verbs[0] == f"kubectl apply -f {KUBERNETES}/base/namespace.yaml"
    made = "kubectl create secret generic codellama-secrets --namespace codellama --from-env-file="
    assert {call[: len(made)] for call in verbs[1:3]} == {made, "kubectl create -f -"}  # one pipes into the other
    assert verbs[3] == f"kubectl apply -k {KUBERNETES}/overlays/single-node"


def test_a_secret_that_is_there_is_left_alone(commands: Commands) -> None:
    assert commands.run(SCRIPT, "single-node").returncode == 0
    assert not [call for call in commands.calls if " create " in call]


def test_without_an_administrator_nothing_is_applied(commands: Commands) -> None:
    commands.add("kubectl", *NO_SECRET)
    done = commands.run(SCRIPT, "single-node")
    assert done.returncode == 64
    assert "ADMIN_EMAIL" in done.stderr
    assert not [call for call in commands.calls if " apply " in call]


@pytest.mark.parametrize("overlay", ["", "singel-node"])
def test_an_unknown_overlay_is_answered_with_those_that_there_are(commands: Commands, overlay: str) -> None:
    done = commands.run(SCRIPT, overlay)
    assert done.returncode == 64
    assert "single-node" in done.stderr
    assert "ci " in done.stderr
    assert commands.calls == []


def test_an_overlay_of_ones_own_is_a_folder(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").touch()
    assert commands.run(SCRIPT, str(tmp_path / "mine")).returncode == 0
    assert f"kubectl apply -k {tmp_path}/mine" in commands.calls


def test_a_cluster_that_does_not_answer_is_told_from_a_bad_overlay(commands: Commands) -> None:
    commands.add("kubectl", otherwise="exit 1")
    done = commands.run(SCRIPT, "single-node")
    assert done.returncode == 69
    assert "KUBECONFIG" in done.stderr


def test_what_does_not_become_ready_is_named(commands: Commands) -> None:
    commands.add("kubectl", ("*rollout status deployment/codellama-deployment*", "exit 1"))
    done = commands.run(SCRIPT, "single-node")
    assert done.returncode == 1
    assert "codellama-deployment does not become ready" in done.stderr
    assert "Sign in" not in done.stdout
