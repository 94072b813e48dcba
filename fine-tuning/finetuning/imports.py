"""PyTorch, transformers and PEFT are thousands of modules: how to import what needs them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Out of sight of the garbage collector: what is imported stays; to look through it is two fifths of a start."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
