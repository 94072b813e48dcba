"""Model versions and roll-back."""

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.api.deps import AdminDep, PrincipalDep, ResourcesDep, SessionDep
from assistant.api.training_schemas import ModelsPage, ModelVersionOut
from assistant.errors import ConflictError
from assistant.resources import Resources
from assistant.services import audit
from codellama_core import registry
from codellama_core.models import Alias, ModelAlias, ModelVersion

router = APIRouter(prefix="/api/models", tags=["models"])


@router.get("")
async def list_models(principal: PrincipalDep, session: SessionDep, resources: ResourcesDep) -> ModelsPage:
    """All versions, newest first, and which of them is champion, previous, and being served here."""
    return await _page(session, resources)


@router.post("/rollback")
async def rollback_model(admin: AdminDep, session: SessionDep, resources: ResourcesDep) -> ModelsPage:
    """Make the previous version champion again; servers take it over within seconds, without a restart."""
    try:
        version = await session.run_sync(registry.rollback)
    except registry.NoPreviousVersionError as error:
        raise ConflictError(f"{error}.".capitalize()) from None
    audit.record(session, admin.id, "model.rollback", version.name)
    return await _page(session, resources)


async def _page(session: AsyncSession, resources: Resources) -> ModelsPage:
    pointed = {row.alias: row.version_id for row in await session.scalars(select(ModelAlias))}
    versions = await session.scalars(select(ModelVersion).order_by(ModelVersion.created_at.desc()).limit(100))
    serving = resources.generator.model
    return ModelsPage(
        champion=pointed.get(Alias.CHAMPION),
        previous=pointed.get(Alias.PREVIOUS),
        serving=serving.version_id if serving else None,
        problem=resources.models.problem if resources.models else None,
        items=[
            ModelVersionOut.of(version, [alias for alias, id in pointed.items() if id == version.id])
            for version in versions
        ],
    )
