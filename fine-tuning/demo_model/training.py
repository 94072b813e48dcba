"""The training loop: Muon for the matrices, AdamW for embeddings and norms, warm-up, plateau, linear decay."""

import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from .batches import IGNORED, Batch, Batches, SampleSource, collate
from .tokenizer import VOCAB_SIZE, Tokenizer

EVALUATION_SAMPLES = 120


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides the corpus."""

    steps: int = 1500
    batch_tokens: int = 8192
    row_length: int = 1024
    warmup_steps: int = 60
    decay_steps: int = 500
    matrix_lr: float = 5e-3
    other_lr: float = 3e-3
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    seed: int = 20_240
    threads: int = 2
    checkpoint_seconds: float = 600.0


@dataclass
class Progress:
    """What a run has done so far."""

    step: int = 0
    wall_seconds: float = 0.0
    losses: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class HeldOutLoss:
    """Mean negative log likelihood in nats."""

    per_token: float
    per_byte: float
    tokens: int


def new_model(seed: int) -> LlamaForCausalLM:
    """A fresh 6.2 M parameter Llama; every dimension is a multiple of 256, as K-quants need."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        use_cache=False,
    )
    return LlamaForCausalLM(config).float()


def token_losses(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Cross entropy of every target token, shape (rows * length,), zero where there is no target."""
    hidden = model.model(input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask).last_hidden_state
    logits = model.lm_head(hidden).flatten(0, 1)
    return functional.cross_entropy(logits.float(), batch.labels.flatten(), ignore_index=IGNORED, reduction="none")


class Trainer:
    """One run, resumable from its checkpoint file."""

    def __init__(self, settings: Settings, batches: Batches, checkpoint: Path) -> None:
        self.settings = settings
        self.model = new_model(settings.seed)
        self.progress = Progress()
        self._batches = batches
        self._checkpoint = checkpoint
        self._optimizers = _optimizers(self.model, settings)
        self._losses = torch.compile(token_losses)

    def run(self, on_checkpoint: Callable[["Trainer"], None]) -> None:
        """Train to the last step; save and call on_checkpoint every few minutes."""
        saved = time.monotonic()
        for step in range(self.progress.step, self.settings.steps):
            started = time.monotonic()
            loss = self._step(step)
            self.progress.step = step + 1
            self.progress.losses.append(round(loss, 4))
            self.progress.wall_seconds += time.monotonic() - started
            self._report(time.monotonic() - started)
            if time.monotonic() - saved > self.settings.checkpoint_seconds:
                self._save()
                on_checkpoint(self)
                saved = time.monotonic()
        self._save()

    def resume(self) -> None:
        """Continue from the checkpoint file, if there is one."""
        if not self._checkpoint.exists():
            return
        state = torch.load(self._checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])

    def _step(self, step: int) -> float:
        factor = schedule(step, self.settings)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * factor
        batch = self._batches[step]
        with torch.autocast("cpu", torch.bfloat16):
            loss = self._losses(self.model, batch).sum() / (batch.labels != IGNORED).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"loss {value} at step {step}")
        return value

    def _report(self, seconds: float) -> None:
        if self.progress.step % 10 == 0:
            recent = self.progress.losses[-10:]
            speed = self.settings.batch_tokens / seconds
            print(f"step {self.progress.step} loss {sum(recent) / len(recent):.3f} {speed:.0f} tok/s", flush=True)

    def _save(self) -> None:
        temporary = self._checkpoint.with_suffix(".tmp")
        optimizers = [optimizer.state_dict() for optimizer in self._optimizers]
        state = {"model": self.model.state_dict(), "optimizers": optimizers, "progress": asdict(self.progress)}
        torch.save(state, temporary)
        os.replace(temporary, self._checkpoint)


def schedule(step: int, settings: Settings) -> float:
    """Share of the peak learning rate: linear warm-up, plateau, linear decay to zero."""
    return min(1.0, (step + 1) / settings.warmup_steps, (settings.steps - step) / settings.decay_steps)


def _optimizers(model: LlamaForCausalLM, settings: Settings) -> list[torch.optim.Optimizer]:
    named = list(model.named_parameters())
    matrices = [weight for name, weight in named if weight.ndim == 2 and "embed" not in name]
    others = [weight for name, weight in named if weight.ndim != 2 or "embed" in name]
    muon = torch.optim.Muon(
        [{"params": matrices, "peak_lr": settings.matrix_lr}],
        lr=settings.matrix_lr,
        weight_decay=settings.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(
        [{"params": others, "peak_lr": settings.other_lr}], lr=settings.other_lr, betas=(0.9, 0.95), weight_decay=0.0
    )
    return [muon, adamw]


@torch.no_grad()
def held_out_losses(model: LlamaForCausalLM, tokenizer: Tokenizer, source: SampleSource) -> dict[str, HeldOutLoss]:
    """Loss on held-out files: code, chat answers, and the middles of infilling samples."""
    rng = random.Random(0)
    found = {}
    for kind in ("code", "chat", "infill"):
        total, tokens, size = 0.0, 0, 0
        for _ in range(EVALUATION_SAMPLES):
            sample = source.draw_middle(rng) if kind == "infill" else source.draw(kind, rng, 500)
            batch = collate([[sample]], len(sample.ids))
            total += float(token_losses(model, batch).sum())
            tokens += int((batch.labels != IGNORED).sum())
            size += sample.text_bytes
        found[kind] = HeldOutLoss(round(total / tokens, 4), round(total / size, 4), tokens)
    return found


def sampled_curve(losses: list[float], points: int = 50) -> Iterator[tuple[int, float]]:
    """(last step, mean loss) of each of about points equal stretches."""
    width = max(1, len(losses) // points)
    for end in range(width, len(losses) + 1, width):
        yield end, round(sum(losses[end - width : end]) / width, 4)


def write_json(path: Path, value: object) -> None:
    """Write value as indented JSON, atomically."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
