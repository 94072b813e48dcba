"""Model versions: which there are, and which of them is served."""

import uuid

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.api.deps import AdminDep, PrincipalDep, ResourcesDep, SessionDep
from assistant.api.training.schemas import ModelsPage, ModelVersionOut
from assistant.resources import Resources
from assistant.services.people import audit
from assistant.services.serving import versions
from codellama_core.models import Alias, ModelAlias, ModelVersion

router = APIRouter(prefix="/api/models", tags=["models"])


@router.get("")
async def list_models(principal: PrincipalDep, session: SessionDep, resources: ResourcesDep) -> ModelsPage:
    """All versions, newest first, and which of them is champion, previous, and being served here."""
    return await _page(session, resources)


@router.post("/rollback")
async def rollback_model(admin: AdminDep, session: SessionDep, resources: ResourcesDep) -> ModelsPage:
    """Make the previous version champion again; servers take it over within seconds, without a restart."""
    version = await versions.roll_back(session)
    audit.record(session, admin.id, "model.rollback", version.name)
    return await _page(session, resources)


@router.post("/{version_id:uuid}/promote")
async def promote_model(
    version_id: uuid.UUID, admin: AdminDep, session: SessionDep, resources: ResourcesDep
) -> ModelsPage:
    """Make a version champion; the one before it stays one click away. What the gate has refused is refused here."""
    version = await versions.promote(session, version_id, resources.settings.models_dir)
    audit.record(session, admin.id, "model.promote", version.name)
    return await _page(session, resources)


@router.post("/{version_id:uuid}/challenge")
async def challenge_model(
    version_id: uuid.UUID, admin: AdminDep, session: SessionDep, resources: ResourcesDep
) -> ModelsPage:
    """Serve a version beside the champion, for those who ask for it; a challenger before it makes room."""
    version = await versions.challenge(session, version_id, resources.settings.models_dir)
    audit.record(session, admin.id, "model.challenge", version.name)
    return await _page(session, resources)


@router.delete("/challenger")
async def end_challenge(admin: AdminDep, session: SessionDep, resources: ResourcesDep) -> ModelsPage:
    """Serve the champion only."""
    version = await versions.end_challenge(session)
    audit.record(session, admin.id, "model.end_challenge", version.name)
    return await _page(session, resources)


async def _page(session: AsyncSession, resources: Resources) -> ModelsPage:
    pointed = {row.alias: row.version_id for row in await session.scalars(select(ModelAlias))}
    known = await session.scalars(select(ModelVersion).order_by(ModelVersion.created_at.desc()).limit(100))
    serving = resources.generator.model
    takeover = await versions.takeover(session)
    return ModelsPage(
        champion=pointed.get(Alias.CHAMPION),
        challenger=pointed.get(Alias.CHALLENGER),
        previous=pointed.get(Alias.PREVIOUS),
        serving=serving.version_id if serving else None,
        problem=resources.models.problem if resources.models else None,
        servers=takeover.servers,
        taken_over=takeover.taken_over,
        items=[
            ModelVersionOut.of(version, [alias for alias, id in pointed.items() if id == version.id])
            for version in known
        ],
    )
