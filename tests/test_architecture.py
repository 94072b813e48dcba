"""Which way imports may point. Arrows that are not listed here are refused."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BACKEND = ROOT / "backend" / "assistant"
FIRST_PARTY = {"assistant", "codellama_core", "finetuning", "demo_model", "llama_cpp"}


def imports(path: Path, package: str) -> Iterator[str]:
    """Names of the modules a file imports, relative ones made absolute within ``package``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{package}.{node.module}" if node.level else str(node.module)


def edges(folder: Path) -> list[tuple[Path, str]]:
    files = [path for path in sorted(folder.rglob("*.py")) if "versions" not in path.parts]
    assert files, f"no Python in {folder}"
    return [(path, name) for path in files for name in imports(path, folder.name)]


def wrong(folder: Path, *allowed: str) -> list[str]:
    """First-party imports below ``folder`` that lie under none of ``allowed``."""

    def is_allowed(name: str) -> bool:
        return name.split(".")[0] not in FIRST_PARTY or any(
            name == prefix or name.startswith(f"{prefix}.") for prefix in allowed
        )

    return [f"{path.relative_to(ROOT)} imports {name}" for path, name in edges(folder) if not is_allowed(name)]


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        (ROOT / "backend/core/codellama_core", ["codellama_core"]),
        (BACKEND / "engine", ["assistant.engine", "llama_cpp"]),
        (
            BACKEND / "services",
            [
                "assistant.services",
                "assistant.engine",
                "assistant.errors",
                "assistant.telemetry",
                "assistant.tracing",
                "codellama_core",
            ],
        ),
        (BACKEND, ["assistant", "codellama_core", "llama_cpp"]),
        (ROOT / "fine-tuning/finetuning", ["finetuning", "codellama_core", "llama_cpp"]),
        (ROOT / "fine-tuning/demo_model", ["demo_model", "codellama_core"]),
    ],
    ids=["core", "engine", "services", "backend", "finetuning", "demo_model"],
)
def test_imports_point_the_right_way(folder: Path, allowed: list[str]) -> None:
    assert wrong(folder, *allowed) == []


def test_only_few_modules_know_llama_cpp() -> None:
    users = {path.relative_to(BACKEND).as_posix() for path, name in edges(BACKEND) if name.startswith("llama_cpp")}
    engine = {"engine/llama.py", "engine/llama_sampler.py", "engine/llama_vocabulary.py"}
    assert engine <= users
    assert all(user.startswith("services/grammar") for user in users - engine)


def test_the_engine_needs_nothing_but_numpy_and_llama_cpp() -> None:
    import sys

    foreign = {
        name.split(".")[0]
        for _, name in edges(BACKEND / "engine")
        if name.split(".")[0] not in {*sys.stdlib_module_names, "assistant"}
    }
    assert foreign == {"llama_cpp", "numpy"}


@pytest.mark.parametrize(
    ("folder", "readers"),
    [
        (BACKEND, {"config.py", "commands.py", "__main__.py"}),
        (ROOT / "backend/core/codellama_core", {"__main__.py"}),
    ],
)
def test_the_environment_is_read_in_one_place(folder: Path, readers: set[str]) -> None:
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if any(word in path.read_text() for word in ("os.environ", "os.getenv", "BaseSettings"))
    }
    assert found == readers
