from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.engine.llama import LlamaModel, load_model
from tests.engine.served import OPTIONS, Served


@pytest.fixture(scope="module")
def served(demo_gguf: Path) -> Iterator[Served]:
    served = Served(load_model(demo_gguf, OPTIONS))
    yield served
    served.engine.close()


@pytest.fixture(scope="module")
def judge(demo_gguf: Path) -> Iterator[LlamaModel]:
    """Another context over the same file, for logits."""
    model = load_model(demo_gguf, OPTIONS)
    yield model
    model.close()
