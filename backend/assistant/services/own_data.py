"""API calls of a person, read for export: a few rows at a time, each few in a transaction of their own."""

import uuid
from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import select

from assistant.services.database import Database
from codellama_core.models import ApiInteraction

BATCH: Final = 100


async def calls_of(database: Database, user_id: uuid.UUID) -> AsyncIterator[ApiInteraction]:
    """All that are kept, the oldest first."""
    after = uuid.UUID(int=0)
    while True:
        query = select(ApiInteraction).where(ApiInteraction.user_id == user_id, ApiInteraction.id > after)
        async with database.session() as session:
            rows = (await session.scalars(query.order_by(ApiInteraction.id).limit(BATCH))).all()
        for row in rows:
            yield row
        if len(rows) < BATCH:
            return
        after = rows[-1].id
