"""Stage 3, export: base plus adapter, merged and quantized, in the staging folder; and the adapter on its own."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from numpy.typing import NDArray

from codellama_core.prompt import template_sha256
from codellama_core.registry import sha256_of
from finetuning.adapter import FOLDER, Adapter, write_adapter
from finetuning.base_model import BaseModel
from finetuning.config import QUANTIZATIONS, Quantization
from finetuning.context import Context
from finetuning.files import write_json
from finetuning.gguf_model import gguf_names, permuted, write_model
from finetuning.importance import IMPORTANCE
from finetuning.kept import Yardstick
from finetuning.quantize import quantize

logger = logging.getLogger(__name__)
MODEL: Final = "model.gguf"
ADAPTER_FILE: Final = "adapter.gguf"
MANIFEST: Final = "manifest.json"


def export(context: Context) -> dict[str, Any]:
    """Write model.gguf, adapter.gguf and manifest.json to the run's staging folder; returns sizes and what survives."""
    base, settings = context.base, context.settings.export
    adapter = Adapter(context.folder / FOLDER)
    model = context.staging / MODEL
    context.progress.report(0.0)
    context.staging.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(context.folder / IMPORTANCE, context.staging / IMPORTANCE)
    write_adapter(adapter, base, context.staging / ADAPTER_FILE)
    kind, kept = _merge(context, adapter, model, _yardstick(context))
    context.progress.report(0.7)
    survival = delta_survival(base, adapter, model, _sample(sorted(adapter.adapted), settings.survival_tensors))
    context.progress.report(0.9)
    manifest = _manifest(context, adapter, model, kind)
    write_json(context.staging / MANIFEST, manifest)
    shown = {key: manifest[key] for key in ("sha256", "size_bytes", "quantization")}
    return {**shown, "gain_kept": kept, "delta_survival": survival}


def _yardstick(context: Context) -> Yardstick | None:
    """What to hold the quantized weights against, from a base that is quantized as they are; it is not kept."""
    settings, base = context.settings.export, context.folder / "base-like-candidate.gguf"
    if not settings.kept_tokens:
        return None
    importance = context.folder / IMPORTANCE
    try:
        make_model(context.base, base, settings.quantization, context.environment.threads, importance=importance)
        context.progress.report(0.3)
        return Yardstick.measure(context, base, context.staging / ADAPTER_FILE)
    finally:
        base.unlink(missing_ok=True)


def _merge(
    context: Context, adapter: Adapter, model: Path, yardstick: Yardstick | None
) -> tuple[Quantization, dict[str, float]]:
    """Write ``model`` as the settings say, or more precisely where that would lose too much of what was learned.

    Returns the quantization, and the share that each one tried has kept.
    """
    settings, importance = context.settings.export, context.folder / IMPORTANCE
    wanted = QUANTIZATIONS.index(settings.quantization)
    kept: dict[str, float] = {}
    for kind in reversed(QUANTIZATIONS[max(wanted - 1, 0) : wanted + 1]):
        make_model(context.base, model, kind, context.environment.threads, adapter, importance)
        if yardstick is None:
            break
        kept[kind] = yardstick.kept_by(model)
        if kept[kind] >= settings.least_kept:
            break
        logger.warning("%s keeps %.0f %% of what was learned", kind, 100 * kept[kind])
    return kind, kept


def make_model(
    base: BaseModel, path: Path, kind: str, threads: int, adapter: Adapter | None = None, importance: Path | None = None
) -> None:
    """Write ``base``, with ``adapter`` merged in, to ``path`` as ``kind``, by ``importance``; whole or absent."""
    delta = adapter.delta if adapter else lambda name: None
    if kind == "F16":
        write_model(base, path, delta)
        return
    unquantized = path.with_name(f".{path.name}.f16")
    try:
        write_model(base, unquantized, delta)
        quantize(unquantized, path, kind, threads, importance)
    finally:
        unquantized.unlink(missing_ok=True)


def delta_survival(base: BaseModel, adapter: Adapter, model: Path, names: Sequence[str]) -> dict[str, Any]:
    """How much of the change that training wanted is in the file that will be served.

    Per tensor: ``cosine`` between the wanted change and the file's difference from the base, which quantization noise
    lowers; ``gain``, the part of the wanted change that is there, 1 when it is there in full however noisy.
    """
    stored = {tensor.name: tensor for tensor in GGUFReader(model).tensors}
    gguf = gguf_names(base.shape)
    tensors = {}
    for name in names:
        wanted = adapter.delta(name)
        if wanted is None or not wanted.any():
            continue
        tensor = stored[gguf[name]]
        served = dequantize(tensor.data, tensor.tensor_type).reshape(wanted.shape)
        before = permuted(name, base.weights.read(name).astype(np.float32), base.shape)
        tensors[gguf[name]] = _survival(permuted(name, wanted, base.shape), served - before)
    mean = (
        {key: round(float(np.mean([t[key] for t in tensors.values()])), 4) for key in ("cosine", "gain")}
        if tensors
        else {}
    )
    return {"mean": mean, "tensors": tensors}


def _survival(wanted: NDArray[np.float32], achieved: NDArray[np.float32]) -> dict[str, float]:
    product, square = float(np.vdot(wanted, achieved)), float(np.vdot(wanted, wanted))
    cosine = product / max(1e-30, square**0.5 * float(np.linalg.norm(achieved)))
    return {"cosine": round(cosine, 4), "gain": round(product / square, 4)}


def _sample(names: list[str], count: int) -> list[str]:
    """``count`` names spread evenly over all."""
    if count >= len(names):
        return names
    return [names[i * len(names) // count] for i in range(count)]


def _manifest(context: Context, adapter: Adapter, model: Path, kind: Quantization) -> dict[str, Any]:
    return {
        "run_id": str(context.run_id),
        "base_model": context.base.name,
        "quantization": kind,
        "sha256": sha256_of(model),
        "size_bytes": model.stat().st_size,
        "adapter_sha256": sha256_of(context.staging / ADAPTER_FILE),
        "lora": {"rank": adapter.rank, "alpha": adapter.alpha},
        "dataset_fingerprint": context.record.read().dataset_fingerprint,
        "template_sha256": template_sha256(context.base.template),
        "settings": context.settings.model_dump(),
    }
