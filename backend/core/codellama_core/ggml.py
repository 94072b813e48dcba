"""Loading of ggml's CPU variants: one build, and the best code for the CPU it finds itself on.

A build with GGML_BACKEND_DL keeps each variant in a library of its own; they are found only if
``ggml_backend_load_all_from_path`` runs before ``llama_backend_init``. A static build needs and does nothing here.
"""

import ctypes
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Final

WITHOUT_AVX2: Final = frozenset({"x64", "sse42", "sandybridge", "ivybridge", "piledriver"})
"""Variants for CPUs older than those that the product is made for."""


@cache
def load_cpu_variants() -> str | None:
    """Load the best variant beside llama-cpp-python's libraries, before llama_cpp is imported.

    Its name, for example "haswell"; None where there are no variants. Once in a process: ggml would register it again.
    """
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "lib"
    if not any(folder.glob("libggml-cpu-*.so")):
        return None
    library = ctypes.CDLL(str(folder / "libggml.so"), mode=ctypes.RTLD_GLOBAL)
    library.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
    library.ggml_backend_load_all_from_path.restype = None
    library.ggml_backend_load_all_from_path(str(folder).encode())
    return variant_in(Path("/proc/self/maps").read_text())


def variant_in(maps: str) -> str | None:
    """The variant among the files that a process has mapped. ggml looks at all of them and keeps one."""
    found = re.search(r"/libggml-cpu-(\w+)\.so$", maps, re.MULTILINE)
    return found[1] if found else None
