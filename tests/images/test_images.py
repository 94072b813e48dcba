"""What an image does by itself, confined as in a cluster: any user, only /tmp to write to, no privilege, no network."""

import shutil
from typing import Final

import pytest

from tests.images.product import podman

TAG: Final = "0.1.0"
CONFINED: Final = (
    "--user=12345:0", "--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp:mode=1777", "--cap-drop=all",
    "--security-opt=no-new-privileges", "--network=none",
)  # fmt: skip
REFUSAL: Final = "from assistant.engines import library_failure; print('refusal:', library_failure())"
VARIANT: Final = "from codellama_core.ggml import load_cpu_variants; print('variant:', load_cpu_variants())"
GENERATIONS: Final = {"x64", "sse42", "sandybridge", "haswell", "skylakex", "icelake", "zen4", "sapphirerapids"}
"""Some of the CPUs that a server may have, from one without AVX to one with AMX."""
COMPILERS: Final = ("cc", "c++", "gcc", "g++", "cmake", "ninja", "make", "ld")


def run(part: str, *command: str, options: tuple[str, ...] = ()) -> str:
    image = f"localhost/codellama-{part}:{TAG}"
    return podman("run", "--rm", "--pull=never", *CONFINED, *options, image, *command)


@pytest.mark.parametrize(
    ("part", "command"),
    [
        ("backend", ("python", "-m", "assistant", "--help")),
        ("frontend", ("nginx", "-t", "-c", "/tmp/nginx.conf")),
        ("fine-tuning", ("python", "-m", "finetuning", "--help")),
    ],
)
def test_an_image_starts_as_any_user_with_nothing_to_write_to(part: str, command: tuple[str, ...]) -> None:
    where = ("--env=BACKEND_UPSTREAM=127.0.0.1:8000",) if part == "frontend" else ()
    run(part, *command, options=where)


@pytest.mark.parametrize("part", ["backend", "fine-tuning"])
def test_any_user_of_the_root_group_writes_models(part: str) -> None:
    run(part, "touch", "/models/probe", options=("--volume=/models",))


@pytest.mark.parametrize("part", ["backend", "frontend", "fine-tuning"])
def test_no_compiler_is_in_an_image(part: str) -> None:
    found = run(part, "sh", "-c", f"for each in {' '.join(COMPILERS)}; do command -v $each || true; done")
    assert found.split() == []


def test_the_backend_has_no_torch() -> None:
    answer = run("backend", "python", "-c", "import importlib.util as u; print(u.find_spec('torch'))")
    assert answer.strip() == "None"


@pytest.mark.parametrize("part", ["backend", "fine-tuning"])
def test_an_image_has_every_variant_and_runs_this_cpus(part: str) -> None:
    script = "import llama_cpp; print(llama_cpp.__file__)"
    listed = run(part, "sh", "-c", f"ls $(dirname $(python -c '{script}'))/lib")
    variants = {name.removesuffix(".so").removeprefix("libggml-cpu-") for name in listed.split() if "-cpu-" in name}
    assert variants >= GENERATIONS
    assert loaded(run(part, "python", "-c", VARIANT)) in variants - {"x64", "sse42", "sandybridge"}


@pytest.mark.parametrize(("cpu", "variant"), [("Nehalem", "sse42"), ("Haswell", "haswell")])
def test_another_cpu_runs_its_own_variant(cpu: str, variant: str) -> None:
    assert loaded(emulated(cpu, VARIANT)) == variant


def test_a_cpu_without_avx2_is_refused_with_a_sentence_and_one_with_it_is_not() -> None:
    assert "refusal: this CPU has no AVX2" in emulated("Nehalem", REFUSAL)
    assert "refusal: None" in emulated("Haswell", REFUSAL)


def emulated(cpu: str, program: str) -> str:
    """What a Python program prints on another CPU."""
    emulator = shutil.which("qemu-x86_64-static")
    assert emulator is not None, "apt-get install qemu-user-static"
    command = ("/emulator", "-cpu", cpu, "/opt/venv/bin/python", "-c", program)
    return run("backend", *command, options=(f"--volume={emulator}:/emulator:ro",))


def loaded(output: str) -> str:
    return output.rpartition("variant: ")[2].strip()
