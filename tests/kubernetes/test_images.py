"""Dockerfiles and the compose file, read as text: what is in an image, who runs it, and what it is told."""

import platform
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from assistant.config import Settings
from finetuning.config import load_settings
from tests.kubernetes.rendered import ROOT
from tests.servers import HUGE_PAGES

DOCKERFILES = {part: ROOT / part / "Dockerfile" for part in ("backend", "frontend", "fine-tuning")}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
EXAMPLE = ROOT / ".env.example"
FINE_TUNER_READS = {"DATABASE_URL", "TRAINING_LICENSES"}


class Stage(NamedTuple):
    name: str
    instructions: list[str]

    def all_of(self, keyword: str) -> list[str]:
        return [text.removeprefix(keyword).strip() for text in self.instructions if text.startswith(f"{keyword} ")]


def found(pattern: str, text: str) -> str:
    """What the pattern's only group is in the text. Raises LookupError when it is not there."""
    if (match := re.search(pattern, text)) is None:
        raise LookupError(f"no {pattern}")
    group: str = match[1]
    return group


def stages(part: str) -> list[Stage]:
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILES[part].read_text(), flags=re.MULTILINE)
    result: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.startswith("FROM "):
            result.append(Stage(line.partition(" AS ")[2], [line]))
        elif line.strip() and result:
            result[-1].instructions.append(line)
    return result


def stage(part: str, name: str) -> Stage:
    return next(item for item in stages(part) if item.name == name)


def environment(item: Stage) -> dict[str, str]:
    pairs = re.findall(r'(\w+)=("[^"]*"|\S+)', " ".join(item.all_of("ENV")))
    return {name: value.strip('"') for name, value in pairs}


@pytest.mark.parametrize("part", DOCKERFILES)
def test_an_image_runs_as_an_ordinary_user_from_a_chosen_base(part: str) -> None:
    final = stages(part)[-1]
    assert final.all_of("USER") == ["10001:10001"]
    assert all(re.match(r"FROM (\$\{\w+_IMAGE\}|engine\b)", item.instructions[0]) for item in stages(part))
    defaults = re.findall(r"^ARG \w+_IMAGE=(\S+)$", DOCKERFILES[part].read_text(), re.MULTILINE)
    assert defaults
    assert all(re.fullmatch(r"[a-z]+:[\w.-]*\d[\w.-]*", image) for image in defaults)
    assert any(text.startswith("org.opencontainers.image.title=") for text in final.all_of("LABEL"))


@pytest.mark.parametrize("part", DOCKERFILES)
def test_what_a_dockerfile_copies_exists_and_is_not_ignored(part: str) -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for text in (text for item in stages(part) for text in item.all_of("COPY") if "--from=" not in text):
        for source in text.split()[:-1]:
            assert (ROOT / source).exists()
            assert Path(source).parts[0] in allowed


@pytest.mark.parametrize("part", ["backend", "fine-tuning"])
def test_no_compiler_is_left_in_an_image(part: str) -> None:
    final = " ".join(stages(part)[-1].instructions)
    assert not re.search("build-essential|gcc|g\\+\\+|cmake|pip install", final)


def test_the_backend_image_has_no_torch() -> None:
    text = re.sub(r"^#.*$", "", DOCKERFILES["backend"].read_text(), flags=re.MULTILINE)
    assert "torch" not in text
    assert "[train]" not in text


def test_the_backend_asks_for_huge_pages_in_words_that_glibc_knows() -> None:
    assert environment(stages("backend")[-1]).items() >= HUGE_PAGES.items()
    assert "GLIBC_TUNABLES={GLIBC_TUNABLES} ".format(**HUGE_PAGES) in (ROOT / "Makefile").read_text()
    linker = Path(f"/lib64/ld-linux-{platform.machine().replace('_', '-')}.so.2")
    told = subprocess.run([linker, "--list-tunables"], env=HUGE_PAGES, capture_output=True, text=True, check=True)
    assert re.search(r"glibc\.malloc\.hugetlb: 0x1\b", told.stdout)


def test_the_engine_is_built_once_for_every_cpu_and_in_the_version_that_we_pin() -> None:
    assert stage("backend", "engine") == stage("fine-tuning", "engine")
    text = " ".join(stage("backend", "engine").instructions)
    flags = ("GGML_NATIVE=OFF", "GGML_BACKEND_DL=ON", "GGML_CPU_ALL_VARIANTS=ON", "CMAKE_INSTALL_BINDIR=llama_cpp/lib")
    assert all(f"-D{flag}" in text for flag in flags)
    version = found(r"LLAMA_CPP_PYTHON=(\S+)", text)
    for part in ("backend", "fine-tuning"):
        pinned = tomllib.loads((ROOT / part / "pyproject.toml").read_text())["project"]["dependencies"]
        assert f"llama-cpp-python=={version}" in pinned


def test_the_demo_model_is_served_in_the_form_that_the_weekly_run_exports() -> None:
    text = " ".join(stage("backend", "demo-model").instructions)
    assert found(r"--quantize (\S+)", text) == load_settings(ROOT / "fine-tuning/configs/demo.yaml").export.quantization


def test_the_backend_is_told_only_what_it_reads() -> None:
    others = ("PATH", "PYTHON", "HOME", "GLIBC")
    own = {name for name in environment(stages("backend")[-1]) if not name.startswith(others)}
    assert {name.lower() for name in own} <= Settings.model_fields.keys()
    service = COMPOSE["services"]["backend"]["environment"]
    assert {name.lower() for name in service} <= Settings.model_fields.keys()
    assert set(COMPOSE["services"]["finetune"]["environment"]) <= FINE_TUNER_READS


def test_compose_lets_streams_finish() -> None:
    service = COMPOSE["services"]["backend"]
    longest = float(service["environment"]["QUEUE_MAX_WAIT_S"]) + float(service["environment"]["MAX_GENERATION_S"])
    for name in ("backend", "frontend"):
        assert 60 * int(found(r"^(\d+)m", COMPOSE["services"][name]["stop_grace_period"])) >= longest


def test_nginx_waits_as_long_as_the_longest_answer() -> None:
    text = (ROOT / "frontend" / "nginx.conf").read_text()
    longest = Settings.model_fields["queue_max_wait_s"].default + Settings.model_fields["max_generation_s"].default
    for block in re.findall(r"location[^{]*(?:v1|chat)[^{]*\{[^}]*\}", text):
        assert int(found(r"proxy_read_timeout (\d+)s", block)) > longest
    assert int(found(r"worker_shutdown_timeout (\d+)s", text)) > longest


def test_compose_starts_in_order_and_keeps_no_secret() -> None:
    services = COMPOSE["services"]
    assert services["backend"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["finetune"]["profiles"] == ["finetune"]
    for service in services.values():
        for name, value in service["environment"].items() if "environment" in service else []:
            if re.search("PASSWORD|TOKEN|DATABASE_URL", name):
                assert re.search(r"\$\{\w+:\?[^}]+\.env[^}]*\}", value)


def test_compose_pods_are_as_hardened_as_the_clusters() -> None:
    for name, service in COMPOSE["services"].items():
        if name == "postgres":
            continue
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_compose_itself_says_when_a_service_is_healthy() -> None:
    """An image in OCI format, podman's default, has no HEALTHCHECK: what waits for it would wait forever."""
    services = COMPOSE["services"]
    for service in services.values():
        for name, needs in service.get("depends_on", {}).items():
            assert needs["condition"] != "service_healthy" or "healthcheck" in services[name]
    assert not any(item.all_of("HEALTHCHECK") for part in DOCKERFILES for item in stages(part))


def test_compose_mounts_postgresql_where_its_version_keeps_its_data() -> None:
    postgres = COMPOSE["services"]["postgres"]
    assert postgres["image"].startswith("postgres:18")
    assert postgres["volumes"] == ["postgres:/var/lib/postgresql"]


def test_every_variable_of_compose_is_explained_or_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    example = dict(line.split("=", 1) for line in EXAMPLE.read_text().splitlines() if "=" in line and line[0] != "#")
    assert required <= example.keys()
    assert all(example[name] == "" for name in required)
    assert all(re.search(rf"\$\{{{name}:[-?]", text) for name in re.findall(r"\$\{(\w+)", text))
    assert example.keys() <= set(re.findall(r"\$\{(\w+)", text))


def test_ours_is_the_content_security_policy_of_the_backend() -> None:
    from assistant.api.http.pages import SECURITY_HEADERS

    text = (ROOT / "frontend" / "nginx.conf").read_text()
    for name, value in SECURITY_HEADERS.items():
        assert re.search(rf'add_header {name} "?{re.escape(value)}"? always;', text)
