"""Loading of ggml's CPU variants: one build, and the best code for the CPU it finds itself on.

A build with GGML_BACKEND_DL keeps each variant in a library of its own; they are found only if
``ggml_backend_load_all_from_path`` runs before ``llama_backend_init``. A static build needs and does nothing here.
"""

import ctypes
import importlib.util
from pathlib import Path


def load_cpu_variants() -> bool:
    """Load the variants beside llama-cpp-python's libraries, before llama_cpp is imported; True if there were any."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return False
    folder = Path(spec.origin).parent / "lib"
    if not any(folder.glob("libggml-cpu-*.so")):
        return False
    library = ctypes.CDLL(str(folder / "libggml.so"), mode=ctypes.RTLD_GLOBAL)
    library.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
    library.ggml_backend_load_all_from_path.restype = None
    library.ggml_backend_load_all_from_path(str(folder).encode())
    return True
