"""A database of one's own, a small base model, and a short way to say what people did."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from codellama_core.database import sync_engine
from finetuning.base_model import BaseModel
from finetuning.config import Settings, prepare_libraries
from tests.fine_tuning.world import Cli, World

FOREIGN_WARNINGS = (
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",
    "ignore::DeprecationWarning:multiprocessing.popen_fork",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for warning in FOREIGN_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="session", autouse=True)
def quiet_libraries() -> None:
    """No network, no progress bars, one thread that sleeps while it waits."""
    prepare_libraries()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def engine(fresh_database_url: str) -> Iterator[Engine]:
    engine = sync_engine(fresh_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture(scope="session")
def demo(demo_hf: Path) -> BaseModel:
    """The demo model, as the fine-tuner reads it."""
    return BaseModel.load(demo_hf, "demo-model")


@pytest.fixture
def run_cli(fresh_database_url: str, demo_hf: Path, tmp_path: Path) -> Callable[[Settings], Cli]:
    """Makes a command line of the fine-tuner on this test's database, ``models`` folder and settings."""
    return lambda settings: Cli(fresh_database_url, tmp_path, demo_hf, settings)
