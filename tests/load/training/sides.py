"""What is compared, each in a process of its own: our two modes, the plain script, and bare matrix products."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM

from finetuning.base_model import LINEARS
from finetuning.config import TrainSettings
from finetuning.learner import Learner
from finetuning.memory import BITS, Mode
from finetuning.packing import Pack

DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PLAIN: Final = "plain"


@dataclass(frozen=True, slots=True)
class Task:
    """What to train on and for how long: ``batches`` micro-batches of ``tokens``, then one step of the optimizer."""

    folder: str
    compute: str
    tokens: int
    batches: int
    threads: int


@dataclass(frozen=True, slots=True)
class Trained:
    """What a side did. Times in seconds, for all timed micro-batches and the step; bytes at their peak.

    ``losses``: per token, before and after a first step, which is not timed.
    """

    wall_s: float
    cpu_s: float
    loading_bytes: int
    training_bytes: int
    swapped_bytes: int
    losses: tuple[float, float]


def train(side: str, task: Task) -> Trained:
    """Load and train on one side: ``plain``, ``fast`` or ``lean``."""
    torch.set_num_threads(task.threads)
    batch = _plain(task) if side == PLAIN else _ours(task, cast(Mode, side))
    loading = status("VmHWM")
    reset_peak()
    first = batch(True)
    wall, cpu = time.perf_counter(), time.process_time()
    later = [batch(number == task.batches - 1) for number in range(task.batches)]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Trained(wall, cpu, loading, status("VmHWM"), status("VmSwap"), (first, later[0]))


def rate(rows: int, hidden: int, intermediate: int, compute: str, threads: int) -> float:
    """FLOP a second of the products that training consists of: (rows x hidden) by a weight, and back. The best of 4."""
    torch.set_num_threads(threads)
    weight = torch.randn(intermediate, hidden).to(DTYPES[compute])
    inputs, gradients = (torch.randn(rows, size).to(DTYPES[compute]) for size in (hidden, intermediate))
    times = []
    for _ in range(4):
        started = time.perf_counter()
        torch.mm(inputs, weight.T)
        torch.mm(gradients, weight)
        times.append(time.perf_counter() - started)
    return 4 * rows * hidden * intermediate / min(times)


def _ours(task: Task, mode: Mode) -> Callable[[bool], float]:
    settings = TrainSettings(sequence_length=task.tokens, warmup_steps=0)
    learner = Learner(Path(task.folder), settings, DTYPES[task.compute], mode)
    ids = _ids(task)
    predicting = torch.arange(task.tokens - 1)
    pack = Pack(ids, torch.arange(task.tokens)[None], predicting, ids[0, 1:])
    waiting = 0

    def batch(step: bool) -> float:
        nonlocal waiting
        loss = learner.accumulate(pack)
        waiting += len(pack.targets)
        if step:
            learner.step(waiting, 0, 1000)
            waiting = 0
        return loss / len(pack.targets)

    return batch


def _plain(task: Task) -> Callable[[bool], float]:
    """What one would write with transformers and PEFT: stored weights, all linears, gradient checkpointing, batch 1."""
    settings = TrainSettings()
    base = LlamaForCausalLM.from_pretrained(task.folder, dtype=DTYPES[task.compute], local_files_only=True)
    base.activation_checkpointing_enable({"use_reentrant": False})
    base.enable_input_require_grads()
    targets = [name.rpartition(".")[2] for name in LINEARS]
    alpha: Any = settings.alpha
    torch.manual_seed(settings.seed)
    model = get_peft_model(
        base, LoraConfig(r=settings.rank, lora_alpha=alpha, target_modules=targets, task_type="CAUSAL_LM")
    )
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    ids = _ids(task)
    model.train()

    def batch(step: bool) -> float:
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        if step:
            torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return cast(float, loss.item())

    return batch


def _ids(task: Task) -> torch.Tensor:
    """One row of random tokens, shape (1, tokens): the same for every side."""
    return torch.randint(3, 32_000, (1, task.tokens), generator=torch.Generator().manual_seed(1))


def status(name: str) -> int:
    """Bytes of a line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def reset_peak() -> None:
    """Let VmHWM begin again at what is resident now (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def main(side: str, argument: str) -> None:
    """The child process: one line of JSON."""
    given = json.loads(argument)
    result = rate(**given) if side == "rate" else asdict(train(side, Task(**given)))
    print(json.dumps(result))


if __name__ == "__main__":
    assert sys.argv[1] in ("rate", PLAIN, *BITS)
    main(sys.argv[1], sys.argv[2])
