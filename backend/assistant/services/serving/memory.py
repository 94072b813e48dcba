"""Memory that is no longer needed, handed back to the system."""

import ctypes
import gc
from typing import Any, Final

LARGE_BYTES: Final = 4 << 20
M_MMAP_THRESHOLD: Final = -3
"""glibc's number of the option in ``mallopt`` (malloc.h)."""


def map_large_blocks() -> None:
    """Have large blocks mapped on their own, always, so that they go back when they are freed.

    glibc would raise the limit up to 32 MiB as such blocks are freed, and put the next ones into the heap of a thread,
    whose end nobody trims.
    """
    mallopt = _c_function("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Collect what only refers to itself, a vocabulary among it, and return the free pages of the C heap.

    Small blocks leave holes that glibc would keep for good. Takes milliseconds: what lives as long as the process is
    not looked through.
    """
    gc.collect()
    trim = _c_function("malloc_trim")
    if trim is not None:
        trim(0)


def _c_function(name: str) -> Any:
    """None in C libraries that have no such function; they give pages back by themselves."""
    return getattr(ctypes.CDLL(None), name, None)
