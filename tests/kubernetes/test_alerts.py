"""The alert rules, in Prometheus' own test bench: each fires when it should and is silent when it should not."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.alert_cases import CASES, STEPS, Case
from tests.kubernetes.rendered import EVERYTHING, ROOT, named, rendering

GUIDE = (ROOT / "INSTALL.md").read_text()
RULES: list[dict[str, Any]] = [
    rule
    for group in named(rendering(EVERYTHING[0]), "PrometheusRule", "codellama-alerts")["spec"]["groups"]
    for rule in group["rules"]
]


def promtool(*arguments: str, cwd: Path) -> None:
    command = shutil.which("promtool")
    assert command, "promtool is not installed: 'apt-get install prometheus'"
    done = subprocess.run([command, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that INSTALL.md makes for a Prometheus without the operator."""
    folder = tmp_path_factory.mktemp("rules")
    (command,) = re.findall(r"^ *sed .* > codellama-rules\.yaml$", GUIDE.replace("\\\n", ""), re.MULTILINE)
    output = str(folder / "codellama-rules.yaml")
    subprocess.run(["sh", "-euc", command.replace("codellama-rules.yaml", output)], cwd=ROOT, check=True)
    return folder


def test_the_guides_rule_file_is_valid_and_complete(rules: Path) -> None:
    promtool("check", "rules", "codellama-rules.yaml", cwd=rules)
    made = yaml.safe_load((rules / "codellama-rules.yaml").read_text())
    assert made == named(rendering(EVERYTHING[0]), "PrometheusRule", "codellama-alerts")["spec"]


@pytest.mark.parametrize("unit", STEPS)
def test_every_alert_fires_when_it_should_and_only_then(rules: Path, unit: str) -> None:
    cases = [situation(case, STEPS[unit]) for case in CASES if case.at.endswith(unit)]
    tests = {"rule_files": ["codellama-rules.yaml"], "evaluation_interval": STEPS[unit], "tests": cases}
    (rules / "tests.yaml").write_text(yaml.safe_dump(tests))
    promtool("test", "rules", "tests.yaml", cwd=rules)


def situation(case: Case, step: str) -> dict[str, Any]:
    """What an alert's text names of its labels has to be there."""
    rule = next(rule for rule in RULES if rule["alert"] == case.alert)
    used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    matchers = [f'alertname="{case.alert}"', 'alertstate="firing"', *(f'{label}!=""' for label in sorted(used))]
    expected = [{"labels": "{}", "value": 1}] if case.fires else []
    return {
        "name": f"{case.alert} at {case.at}",
        "interval": step,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [
            {"expr": f"count(ALERTS{{{','.join(matchers)}}})", "eval_time": case.at, "exp_samples": expected}
        ],
    }


def test_every_alert_is_tried_both_ways() -> None:
    names = {rule["alert"] for rule in RULES}
    assert len(names) == len(RULES)
    for fires in (True, False):
        assert {case.alert for case in CASES if case.fires is fires} == names


def test_every_alert_says_how_bad_it_is_and_what_it_means() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"].endswith(".")
