"""Searching one's own conversations."""

from typing import Annotated

from fastapi import APIRouter, Query

from assistant.api.chat.history_schemas import SearchHit, SearchPage
from assistant.api.deps import PrincipalDep, SessionDep
from assistant.services.history import search
from assistant.services.pages import Place

router = APIRouter(prefix="/api/search", tags=["conversations"])


@router.get("")
async def search_messages(
    principal: PrincipalDep,
    session: SessionDep,
    q: Annotated[str, Query(min_length=1, max_length=200, description='Words, identifiers and "quoted phrases"')],
    before: Annotated[str, Query(max_length=200, description="``next_before`` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=100, description="Messages on a page")] = 20,
) -> SearchPage:
    """Own messages that have all the words, newest first; the last word may be unfinished."""
    place = Place.parse(before, "before") if before else None
    hits = await search.find(session, principal.id, q, place, limit + 1)
    items = [SearchHit.of(hit) for hit in hits[:limit]]
    last = Place(items[-1].created_at, items[-1].message_id).cursor if len(hits) > limit else None
    return SearchPage(items=items, next_before=last)
