"""PyTorch, transformers and PEFT are thousands of modules: how to import what needs them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Out of sight of the garbage collector: what is imported stays; looking through it delays start and end."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
