"""Write the model in the Hugging Face layout, with a record of how it was trained."""

import os
import platform
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from .corpus import Corpus
from .tokenizer import SPECIALS
from .training import HeldOutLoss, Trainer, sampled_curve, write_json

COPIED_SETTINGS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
    "rms_norm_eps",
    "tie_word_embeddings",
    "hidden_act",
    "initializer_range",
)
CHAT_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}{% set messages = messages[1:] %}"
    "{% else %}{% set system = '' %}{% endif %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + (system if loop.first else '') + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)


def export(
    trainer: Trainer,
    tokenizer_file: Path,
    corpus: Corpus,
    exercises: int,
    held_out: dict[str, HeldOutLoss],
    folder: Path,
) -> None:
    """Write all files of the model to folder; each file is replaced atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    state: dict[str, Tensor] = trainer.model.state_dict()
    halves = {name: weight.to(torch.float16).contiguous() for name, weight in state.items() if name != "lm_head.weight"}
    temporary = folder / "model.safetensors.tmp"
    temporary.write_bytes(save(halves, metadata={"format": "pt"}))
    os.replace(temporary, folder / "model.safetensors")
    (folder / "tokenizer.model").write_bytes(tokenizer_file.read_bytes())
    write_json(folder / "config.json", _config(trainer))
    write_json(folder / "tokenizer_config.json", _tokenizer_config())
    write_json(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "max_length": 2048})
    write_json(folder / "training.json", _record(trainer, corpus, exercises, held_out))


def _config(trainer: Trainer) -> dict[str, object]:
    config = trainer.model.config
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **{name: getattr(config, name) for name in COPIED_SETTINGS},
        "rope_theta": 10_000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float16",
        "use_cache": True,
    }


def _tokenizer_config() -> dict[str, object]:
    names = ("prefix_token", "suffix_token", "middle_token", "eot_token")
    return {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        **dict(zip(names, SPECIALS, strict=True)),
        "add_bos_token": True,
        "add_eos_token": False,
        "legacy": True,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
        "chat_template": CHAT_TEMPLATE,
    }


def _record(trainer: Trainer, corpus: Corpus, exercises: int, held_out: dict[str, HeldOutLoss]) -> dict[str, object]:
    progress, settings = trainer.progress, trainer.settings
    recent = progress.losses[-50:]
    return {
        "settings": asdict(settings),
        "parameters": sum(weight.numel() for weight in trainer.model.parameters()),
        "corpus": {
            "source": f"Python {platform.python_version()} standard library",
            "train_files": len(corpus.train),
            "train_bytes": sum(len(file.text.encode()) for file in corpus.train),
            "dev_files": len(corpus.dev),
            "dev_bytes": sum(len(file.text.encode()) for file in corpus.dev),
            "definitions": len(corpus.train_definitions),
            "exercises": exercises,
        },
        "steps": progress.step,
        "finished": progress.step == settings.steps,
        "tokens_seen": progress.step * settings.batch_tokens,
        "wall_seconds": round(progress.wall_seconds),
        "cpu": _cpu(),
        "torch": torch.__version__,
        "train_loss_last_50_steps": round(sum(recent) / max(1, len(recent)), 4),
        "held_out": {kind: asdict(loss) for kind, loss in held_out.items()},
        "loss_curve": list(sampled_curve(progress.losses)),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
