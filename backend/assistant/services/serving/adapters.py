"""Whether a version can be served as an adapter of weights that are loaded already."""

import json
from pathlib import Path
from typing import Final

ADAPTER_FILE: Final = "adapter.gguf"
MANIFEST_FILE: Final = "manifest.json"


def adapter_beside(model: Path, base: str) -> Path | None:
    """The adapter in a version's folder, if its manifest says that it was trained on ``base``, a ``general.name``.

    The fine-tuner always trains on the base model, so an adapter fits a champion that is that base, and none that has
    an earlier adapter merged in.
    """
    adapter = model.with_name(ADAPTER_FILE)
    try:
        manifest = json.loads(model.with_name(MANIFEST_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    known = isinstance(manifest, dict) and manifest.get("base_model") == base
    return adapter if base and known and adapter.is_file() else None
