"""Wiring: settings in, application out. Everything is built in the lifespan and torn down there."""

import asyncio
import gc
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from assistant import __version__, engines, sign_in
from assistant.api import health
from assistant.api.chat import (
    answers,
    comparisons,
    conversations,
    estimates,
    exports,
    feedback,
    generations,
    prompts,
    search,
    served,
)
from assistant.api.description.document import describe, operation_id
from assistant.api.http import pages, rendering
from assistant.api.http.bodies import BodyMiddleware
from assistant.api.http.middleware import CrowdMiddleware, RequestIdMiddleware
from assistant.api.http.origins import cross_origin
from assistant.api.http.standing import StandingMiddleware
from assistant.api.openai import routes as openai
from assistant.api.people import audit, auth, me, own_data, users
from assistant.api.programs import infill, simple, ws_chat
from assistant.api.training import documents, models, usage
from assistant.api.training import runs as training
from assistant.config import Settings
from assistant.engine.types import ModelLoadError
from assistant.resources import Resources
from assistant.services.calls.autocomplete import AutocompleteService
from assistant.services.calls.interactions import InteractionService
from assistant.services.chat.comparisons import ComparisonService
from assistant.services.chat.generations import Generations
from assistant.services.chat.messages import ChatService
from assistant.services.chat.writing import Writing
from assistant.services.database import Database
from assistant.services.generators.upstream import UpstreamGenerator
from assistant.services.notices import Notices
from assistant.services.people.accounts import Accounts
from assistant.services.people.limits import RateLimits
from assistant.services.retention import Retention
from assistant.services.serving.memory import map_large_blocks
from assistant.services.serving.models import ModelService, NothingToServeError
from assistant.services.spool import Spool
from assistant.telemetry import Metrics
from assistant.tracing import trace_requests
from codellama_core import registry
from codellama_core.ids import uuid7

logger = logging.getLogger(__name__)

EX_DATAERR: Final = 65
EX_SOFTWARE: Final = 70
Fatal = Callable[[int, str], None]
ROUTES: Final = (
    health, auth, me, own_data, exports, conversations, estimates, answers, comparisons, search, generations, feedback,
    prompts, models, served, training, users, documents, usage, audit, openai, infill, simple, ws_chat,
)  # fmt: skip


def create_app(settings: Settings, fatal: Fatal) -> FastAPI:
    """The application. ``fatal(code, message)`` ends the process when there is nothing it could serve."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        map_large_blocks()
        async with AsyncExitStack() as stack:
            if end_traces is not None:
                stack.callback(end_traces)
            resources = await _build(settings, stack)
            app.state.resources = resources
            retention = Retention(resources.database, settings.api_retention_days)
            jobs = [
                _serve_model(resources, fatal),
                resources.spool.run(),
                resources.generations.reap(),
                resources.notices.run(),
                retention.run(),
            ]
            tasks = [asyncio.create_task(watched(job, fatal)) for job in jobs]
            _spare_collector()
            yield
            await resources.generations.drain(resources.begin_draining() - time.monotonic())
            await resources.autocompletes.close()
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
    for module in ROUTES:
        app.include_router(module.router)
    if settings.frontend_dist is not None:
        pages.mount(app, settings.frontend_dist)
    app.add_middleware(StandingMiddleware)
    app.add_middleware(BodyMiddleware, timeout_s=settings.body_timeout_s)
    app.add_middleware(CrowdMiddleware, limit=settings.max_requests)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, **cross_origin(settings.cors_origins))
    app.add_middleware(RequestIdMiddleware)
    collector, service = settings.otel_exporter_otlp_endpoint, settings.otel_service_name
    end_traces = trace_requests(app, collector, service, __version__) if collector is not None else None
    return app


async def watched(job: Coroutine[Any, Any, None], fatal: Fatal) -> None:
    """Run what the process cannot do without: where it fails in a way nobody foresaw, a fresh start is better."""
    try:
        await job
    except Exception as error:
        logger.exception("a task of the server has failed")
        fatal(EX_SOFTWARE, f"the server cannot go on: {error!r}")


def _spare_collector() -> None:
    """What has been imported and built lives as long as the process; a look at all of it stops everybody for 0.1 s.

    Nor is it looked at when the process ends, which is then over in a fifth of the time.
    """
    gc.collect()
    gc.freeze()


async def _build(settings: Settings, stack: AsyncExitStack) -> Resources:
    metrics, instance_id = Metrics(), _instance_id(settings.spool_dir)
    database = Database(settings.database_url)
    stack.push_async_callback(database.close)
    if settings.otel_exporter_otlp_endpoint is not None:
        database.trace()
    spool = Spool(database, settings.spool_dir, metrics.spooled.inc)
    accounts = Accounts(database)
    made = await engines.build(settings, database, metrics, instance_id, stack)
    notices = Notices(settings.database_url)
    if made.models is not None:
        notices.on(registry.MODEL_CHANGED, made.models.hint)
    generations = Generations(database, notices, instance_id, settings.reap_after_s)
    await generations.interrupt_own()
    writing = Writing(database, made.generator, generations, spool, metrics, instance_id)
    limits = RateLimits()
    interactions = InteractionService(made.generator, spool, metrics, limits)
    return Resources(
        settings=settings, instance_id=instance_id, metrics=metrics, database=database, notices=notices, spool=spool,
        accounts=accounts, generator=made.generator, generations=generations,
        chat=ChatService(database, writing), comparisons=ComparisonService(database, writing),
        limits=limits, interactions=interactions, autocompletes=AutocompleteService(interactions),
        engine=made.engine, models=made.models,
        local_admin=await sign_in.first_admin(settings, accounts, database),
        oidc=sign_in.identity_provider(settings, database), started_at=int(time.time()),
    )  # fmt: skip


async def _serve_model(resources: Resources, fatal: Fatal) -> None:
    """Load the model, then follow the registry, or the upstream server, for as long as the process lives."""
    service = resources.models
    if service is None:
        if isinstance(resources.generator, UpstreamGenerator):
            await resources.generator.run()
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


def _instance_id(folder: Path) -> uuid.UUID:
    """The same across restarts in the same place, so that a process finds what it left behind."""
    path = folder / "instance"
    if path.is_file():
        return uuid.UUID(path.read_text().strip())
    folder.mkdir(parents=True, exist_ok=True)
    instance = uuid7()
    path.write_text(str(instance))
    return instance
