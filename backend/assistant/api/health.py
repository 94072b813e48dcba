"""Liveness, readiness and metrics."""

import time
from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from assistant.api.deps import ResourcesDep

router = APIRouter(tags=["health"])

HEARTBEAT_LIMIT_S: Final = 60.0


@router.get("/health")
async def health(resources: ResourcesDep) -> JSONResponse:
    """Alive: the engine's thread has turned within the last minute. Says nothing of the database."""
    silent = 0.0 if resources.engine is None else time.monotonic() - resources.engine.heartbeat
    if silent > HEARTBEAT_LIMIT_S:
        return JSONResponse({"status": "stuck", "engine_silent_s": round(silent)}, 503)
    return JSONResponse({"status": "ok"})


@router.get("/ready")
async def ready(resources: ResourcesDep) -> JSONResponse:
    """Ready: a model answers, and the process is not shutting down. Without the database it still answers ``/v1``."""
    model = resources.generator.model
    reachable = await resources.database.is_reachable()
    problem = await resources.generator.problem()
    body: dict[str, Any] = {
        "status": "ready",
        "model": model.name if model else None,
        "engine": resources.generator.kind,
        "database": "ok" if reachable else "away",
        "spooled_records": resources.spool.pending,
    }
    if why := problem or (resources.models.problem if resources.models is not None else None):
        body["problem"] = why
    if problem is not None or resources.draining:
        body["status"] = "stopping" if resources.draining else "unavailable" if model else "loading"
        return JSONResponse(body, 503)
    return JSONResponse(body)


@router.get("/metrics")
async def metrics(resources: ResourcesDep) -> Response:
    """Prometheus text format."""
    return Response(generate_latest(resources.metrics.registry), media_type=CONTENT_TYPE_LATEST)
