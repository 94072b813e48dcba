"""Memory that has been freed, handed back to the system."""

import ctypes


def give_back() -> None:
    """Return the free pages of the C heap. Weights and compute buffers leave holes that glibc would keep for good.

    Takes milliseconds; C libraries without ``malloc_trim`` give pages back by themselves.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
