"""An importance matrix: how large the inputs of each linear layer are, so that quantizing errs least where it matters.

The file is what llama.cpp's llama-imatrix writes: https://github.com/ggml-org/llama.cpp/tree/master/tools/imatrix.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from gguf import GGUFReader, GGUFWriter
from numpy.typing import NDArray

from finetuning.files import replacing

IMPORTANCE: Final = "imatrix.gguf"
_SUMS, _COUNTS = ".in_sum2", ".counts"


def write_importance(
    path: Path, sums: Mapping[str, NDArray[np.float32]], counts: Mapping[str, int], sequence_length: int
) -> None:
    """Write the sums of squares of each column's inputs, shape (columns,), and of how many inputs; whole or absent.

    Both by the GGUF name of the weight.
    """
    with replacing(path) as temporary:
        writer = GGUFWriter(temporary, "")
        try:
            writer.add_type("imatrix")
            writer.add_array("imatrix.datasets", ["training rows"])
            writer.add_uint32("imatrix.chunk_size", sequence_length)
            writer.add_uint32("imatrix.chunk_count", max(counts.values(), default=0) // sequence_length)
            for name, values in sums.items():
                writer.add_tensor(name + _SUMS, values[np.newaxis].astype(np.float32))
                writer.add_tensor(name + _COUNTS, np.full((1, 1), counts[name], np.float32))
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()


def read_importance(path: Path) -> dict[str, NDArray[np.float32]]:
    """The mean square of each column's inputs, shape (columns,), by the GGUF name of the weight."""
    stored = {tensor.name: tensor.data for tensor in GGUFReader(path).tensors}
    return {
        name.removesuffix(_SUMS): sums.reshape(-1) / stored[name.removesuffix(_SUMS) + _COUNTS].item()
        for name, sums in stored.items()
        if name.endswith(_SUMS)
    }
