"""Which engine makes the text, and how it is put together: llama.cpp here, another server, or the mock."""

import asyncio
import importlib
import logging
import socket
import uuid
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from assistant.config import Settings
from assistant.engine.engine import Engine
from assistant.engine.kv_store import MIB, KvStoreOptions
from assistant.engine.lane import EngineOptions
from assistant.engine.model import Model
from assistant.engine.types import ModelLoadError
from assistant.services.database import Database
from assistant.services.figures import desk_figures, engine_figures, observe_step
from assistant.services.generators.local import LocalGenerator
from assistant.services.generators.mock import MockGenerator, MockOptions
from assistant.services.generators.types import Generator
from assistant.services.generators.upstream import UpstreamGenerator, UpstreamOptions
from assistant.services.serving.models import Loading, ModelService
from assistant.telemetry import Figure, FigureCollector, Metrics
from codellama_core import ggml, registry
from codellama_core.resources import limits

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Engines:
    """What was put together. ``engine`` and ``models`` are there with llama.cpp only."""

    generator: Generator
    engine: Engine | None = None
    models: ModelService | None = None


async def build(
    settings: Settings, database: Database, metrics: Metrics, instance_id: uuid.UUID, stack: AsyncExitStack
) -> Engines:
    """Put the chosen engine together; ``stack`` takes it apart again."""
    kind, reason = await _choose(settings, database)
    logger.info("engine: %s, because %s", kind, reason, extra={"engine": kind})
    match kind:
        case "llama":
            return _llama(settings, database, metrics, instance_id, stack)
        case "upstream":
            return Engines(_upstream(settings, metrics, stack))
        case "mock":
            return Engines(_mock(settings, metrics))


async def _choose(settings: Settings, database: Database) -> tuple[Literal["llama", "upstream", "mock"], str]:
    if settings.engine != "auto":
        return settings.engine, "ENGINE says so"
    if settings.upstream_url is None:
        return "llama", "no UPSTREAM_URL is set"
    failure = await asyncio.to_thread(library_failure)
    if failure is not None:
        return "upstream", f"UPSTREAM_URL is set and llama.cpp cannot be used ({failure})"
    if not await _has_model(settings, database):
        return "upstream", "UPSTREAM_URL is set and no model is there: neither MODEL_PATH nor a registered one"
    return "llama", "its library loads and a model is there; ENGINE=upstream uses UPSTREAM_URL instead"


def library_failure() -> str | None:
    """Why llama.cpp cannot be used on this machine, or None."""
    try:
        variant = ggml.load_cpu_variants()
        importlib.import_module("assistant.engine.llama")
    except (ImportError, OSError, RuntimeError) as error:
        return str(error)
    return too_old(variant)


def too_old(variant: str | None) -> str | None:
    """What is wrong with a CPU for which llama.cpp has chosen this variant; a static build has none to choose from."""
    if variant not in ggml.WITHOUT_AVX2:
        return None
    return f"this CPU has no AVX2, and llama.cpp's variant for it, {variant}, is several times slower"


async def _has_model(settings: Settings, database: Database) -> bool:
    async with database.session() as session:
        champion = await session.run_sync(registry.champion)
    files = [settings.model_path] if settings.model_path is not None else []
    if champion is not None:
        files.append(registry.file_of(champion, settings.models_dir))
    return any(file.is_file() for file in files)


def _llama(
    settings: Settings, database: Database, metrics: Metrics, instance_id: uuid.UUID, stack: AsyncExitStack
) -> Engines:
    found = limits()
    threads = settings.n_threads or found.cpus
    if threads > found.cpus:
        logger.warning("more threads than CPUs: expect a collapse", extra={"threads": threads, "cpus": found.cpus})
    engine = Engine(_engine_options(settings, metrics))
    engine.start()
    stack.callback(engine.close)
    generator = LocalGenerator(
        engine, max_tokens=settings.max_tokens, max_seconds=settings.max_generation_s,
        allow_grammars=settings.allow_grammars,
    )  # fmt: skip
    _export(metrics, partial(engine_figures, engine, generator, threads, found.quota))
    loading = Loading(partial(_load, settings, threads), threads)
    models = ModelService(
        database, settings.models_dir, generator.roster, loading, instance_id,
        socket.gethostname(),
    )  # fmt: skip
    return Engines(generator, engine, models)


def _engine_options(settings: Settings, metrics: Metrics) -> EngineOptions:
    store = KvStoreOptions(settings.kv_ram_mib * MIB, settings.kv_disk_mib * MIB, settings.kv_dir)
    return EngineOptions(
        queue_max_wait_s=settings.queue_max_wait_s, max_running=settings.max_running, kv_store=store,
        speculation=settings.speculation, on_step=partial(observe_step, metrics),
    )  # fmt: skip


def _load(settings: Settings, threads: int, path: Path) -> Model:
    """Raises ModelLoadError, also when it is the library that cannot be loaded."""
    failure = library_failure()
    if failure is not None:
        raise ModelLoadError(f"llama.cpp cannot be used ({failure}); install llama-cpp-python or set UPSTREAM_URL")
    from assistant.engine.llama import ModelOptions, load_model

    if (variant := ggml.load_cpu_variants()) is not None:
        logger.info("llama.cpp runs its variant for this CPU: %s", variant)
    options = ModelOptions(
        n_ctx=settings.n_ctx, n_seq_max=settings.n_seq_max, threads=threads, kv_type=settings.kv_type,
        flash_attention={"auto": None, "on": True, "off": False}[settings.flash_attention],
    )  # fmt: skip
    return load_model(path, options)


def _upstream(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> UpstreamGenerator:
    assert settings.upstream_url is not None
    key = settings.upstream_api_key
    generator = UpstreamGenerator(
        UpstreamOptions(
            url=settings.upstream_url,
            api_key=key.get_secret_value() if key else None,
            model=settings.upstream_model,
            connect_s=settings.upstream_connect_s,
            first_token_s=settings.upstream_first_token_s,
            slots=settings.upstream_slots,
            queue_max_wait_s=settings.queue_max_wait_s,
            max_tokens=settings.max_tokens,
            max_seconds=settings.max_generation_s,
        )
    )
    stack.push_async_callback(generator.close)
    _export(metrics, partial(desk_figures, generator.desk, generator.tally, generator))
    return generator


def _mock(settings: Settings, metrics: Metrics) -> MockGenerator:
    generator = MockGenerator(
        MockOptions(
            slots=settings.mock_slots,
            tokens_per_second=settings.mock_tokens_per_second,
            prefill_per_second=settings.mock_prefill_per_second,
            queue_max_wait_s=settings.queue_max_wait_s,
            max_seconds=settings.max_generation_s,
        )
    )
    _export(metrics, partial(desk_figures, generator.desk, generator.tally, generator))
    return generator


def _export(metrics: Metrics, read: Callable[[], Iterable[Figure]]) -> None:
    metrics.registry.register(FigureCollector(read))
