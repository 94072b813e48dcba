"""Wiring: settings in, application out. Everything is built in the lifespan and torn down there."""

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from assistant import __version__
from assistant.api import (
    auth,
    conversations,
    feedback,
    generations,
    health,
    models,
    openai,
    pages,
    rendering,
    simple,
    training,
)
from assistant.api.middleware import BodyLimitMiddleware, RequestIdMiddleware
from assistant.api.openapi import describe, operation_id
from assistant.config import Settings
from assistant.engine.engine import Engine
from assistant.engine.lane import EngineOptions
from assistant.engine.types import ModelLoadError
from assistant.resources import Resources
from assistant.services.accounts import LOCAL_EMAIL, Accounts, Principal
from assistant.services.chat import ChatService
from assistant.services.database import Database
from assistant.services.figures import engine_figures
from assistant.services.generations import Generations
from assistant.services.generators.local import LocalGenerator
from assistant.services.generators.mock import MockGenerator
from assistant.services.generators.types import Generator
from assistant.services.interactions import InteractionService
from assistant.services.models import ModelService, NothingToServeError
from assistant.services.spool import Spool
from assistant.telemetry import FigureCollector, Metrics
from codellama_core import ggml
from codellama_core.ids import uuid7
from codellama_core.resources import limits

logger = logging.getLogger(__name__)

EX_DATAERR: Final = 65
Fatal = Callable[[int, str], None]


def create_app(settings: Settings, fatal: Fatal) -> FastAPI:
    """The application. ``fatal(code, message)`` ends the process when there is nothing it could serve."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            resources = await _build(settings, stack)
            app.state.resources = resources
            loading = asyncio.create_task(_serve_model(resources, fatal))
            tasks = [loading, *_background(resources)]
            yield
            await resources.generations.drain(resources.begin_draining() - time.monotonic())
            await resources.interactions.drain()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(
        title="Code assistant", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        generate_unique_id_function=operation_id,
    )  # fmt: skip
    describe(app)
    rendering.install(app)
    for module in (health, auth, conversations, generations, feedback, models, training, openai, simple):
        app.include_router(module.router)
    if settings.frontend_dist is not None:
        pages.mount(app, settings.frontend_dist)
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(RequestIdMiddleware)
    return app


async def _build(settings: Settings, stack: AsyncExitStack) -> Resources:
    metrics, instance_id = Metrics(), _instance_id(settings.spool_dir)
    database = Database(settings.database_url)
    stack.push_async_callback(database.close)
    spool = Spool(database, settings.spool_dir, metrics.spooled.inc)
    accounts = Accounts(database)
    generator, engine = _generator(settings, metrics, stack)
    models = _model_service(settings, database, generator, instance_id)
    generations = Generations(database, instance_id)
    await generations.interrupt_own()
    return Resources(
        settings=settings, instance_id=instance_id, metrics=metrics, database=database, spool=spool,
        accounts=accounts, generator=generator, generations=generations,
        chat=ChatService(database, generator, generations, spool, metrics, instance_id),
        interactions=InteractionService(generator, spool, metrics), engine=engine, models=models,
        local_admin=await _first_admin(settings, accounts), started_at=int(time.time()),
    )  # fmt: skip


def _generator(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> tuple[Generator, Engine | None]:
    if settings.engine == "mock":
        return MockGenerator(), None
    found = limits()
    threads = settings.n_threads or found.cpus
    if threads > found.cpus:
        logger.warning("more threads than CPUs: expect a collapse", extra={"threads": threads, "cpus": found.cpus})
    engine = Engine(EngineOptions(queue_max_wait_s=settings.queue_max_wait_s))
    engine.start()
    stack.callback(engine.close)
    generator = LocalGenerator(engine, max_tokens=settings.max_tokens, max_seconds=settings.max_generation_s)
    read = partial(engine_figures, engine, generator, threads, found.quota)
    metrics.registry.register(FigureCollector(read))
    return generator, engine


def _model_service(
    settings: Settings, database: Database, generator: Generator, instance_id: uuid.UUID
) -> ModelService | None:
    if not isinstance(generator, LocalGenerator):
        return None
    ggml.load_cpu_variants()
    from assistant.engine.llama import ModelOptions, load_model

    options = ModelOptions(
        n_ctx=settings.n_ctx, n_seq_max=settings.n_seq_max, threads=settings.n_threads or limits().cpus,
        kv_type=settings.kv_type,
    )  # fmt: skip
    return ModelService(
        database, settings.database_url, settings.models_dir, generator, lambda path: load_model(path, options),
        instance_id, socket.gethostname(),
    )  # fmt: skip


async def _first_admin(settings: Settings, accounts: Accounts) -> Principal | None:
    if settings.auth_mode == "local":
        return await accounts.ensure_admin(LOCAL_EMAIL, None, "You")
    if settings.admin_email and settings.admin_password:
        await accounts.ensure_admin(settings.admin_email, settings.admin_password.get_secret_value(), "Admin")
    return None


async def _serve_model(resources: Resources, fatal: Fatal) -> None:
    """Load the model, then follow the champion for as long as the process lives."""
    service = resources.models
    if service is None:
        return
    try:
        if resources.settings.model_path is not None:
            await _register(service, resources.settings.model_path)
        await service.start()
    except NothingToServeError as error:
        fatal(EX_DATAERR, str(error))
        return
    await service.run()


async def _register(service: ModelService, path: Path) -> None:
    try:
        await service.register(path)
    except ModelLoadError as error:
        logger.error("MODEL_PATH is left out: %s", error)


def _background(resources: Resources) -> list[asyncio.Task[None]]:
    jobs: list[Coroutine[Any, Any, None]] = [resources.spool.run(), resources.generations.reap()]
    return [asyncio.create_task(job) for job in jobs]


def _instance_id(folder: Path) -> uuid.UUID:
    """The same across restarts in the same place, so that a process finds what it left behind."""
    path = folder / "instance"
    if path.is_file():
        return uuid.UUID(path.read_text().strip())
    folder.mkdir(parents=True, exist_ok=True)
    instance = uuid7()
    path.write_text(str(instance))
    return instance
