"""What making frozen weights dense costs, format by format: python -m tests.load.training.dequantizing

CPU time of one thread for a matrix of 4096 x 4096, the best of five, and the same as a share of the product of 1,024
rows with that matrix in 32 bits. bitsandbytes is measured where it is installed; nothing else needs it.
"""

import importlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

from finetuning.frozen import Scratch, frozen_linear

SIZE: Final = 4096
ROWS: Final = 1024
DTYPES: Final = (torch.float32, torch.bfloat16)


def main() -> None:
    torch.set_num_threads(1)
    weight = torch.randn(SIZE, SIZE) * 0.02
    rows = torch.randn(ROWS // 8, SIZE)
    product = 8 * _best(partial(torch.mm, rows, weight))
    print("| format | into | ns a weight | of a product |\n| --- | --- | --- | --- |")
    for name, into, run in _formats(weight):
        spent = _best(run)
        print(f"| {name} | {into} | {spent / SIZE**2 * 1e9:.2f} | {spent / product:.1%} |", flush=True)


def _formats(weight: torch.Tensor) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    for dtype in DTYPES:
        into, dense = str(dtype).removeprefix("torch."), torch.empty(SIZE, SIZE, dtype=dtype)
        for bits in (8, 4):
            layer = frozen_linear(weight, bits, Scratch(dtype))
            yield f"ours, {bits} bits", into, partial(layer.dequantize, dense)
        try:
            library = importlib.import_module("bitsandbytes.functional")
        except ImportError:
            continue
        stored, state = library.quantize_4bit(weight.to(dtype), quant_type="nf4", blocksize=64)
        yield "bitsandbytes NF4", into, partial(library.dequantize_4bit, stored, state)
    q4_0 = quantize(weight.numpy(), GGMLQuantizationType.Q4_0)
    yield "GGUF Q4_0 (gguf, numpy)", "float32", partial(dequantize, q4_0, GGMLQuantizationType.Q4_0)
    q4_k = np.zeros((SIZE, SIZE // 256 * 144), dtype=np.uint8)
    yield "GGUF Q4_K (gguf, numpy)", "float32", partial(dequantize, q4_k, GGMLQuantizationType.Q4_K)


def _best(run: Callable[[], Any]) -> float:
    """Seconds of CPU time."""
    times = []
    for _ in range(6):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times[1:])


if __name__ == "__main__":
    main()
