"""Conversations for tests of the history: made by import, and somebody else's, made in the database."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from assistant.services.database import Database
from assistant.services.history import search
from codellama_core.ids import uuid7
from codellama_core.models import Author, Conversation, Message, Role, User

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def message(parent: str | None, content: str = "text", *, minute: int = 0, **more: Any) -> dict[str, Any]:
    """A message as an export has it; its author is the user unless it says otherwise."""
    at = (BEGIN + timedelta(minutes=minute)).isoformat()
    fixed = {"id": str(uuid.uuid4()), "parent_id": parent, "author": "user", "status": "done", "created_at": at}
    return {**fixed, "content": content, **more}


def chain(length: int, begin: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Questions and answers one after another, a minute apart, after ``begin`` where it is given."""
    messages: list[dict[str, Any]] = []
    parent: str | None = begin["id"] if begin else None
    for number in range(length):
        author = "user" if number % 2 == 0 else "assistant"
        minute = number + (1000 if begin else 0)
        messages.append(message(parent, f"turn {number}", minute=minute, author=author))
        parent = messages[-1]["id"]
    return messages


def conversation(messages: list[dict[str, Any]], title: str = "imported", **more: Any) -> dict[str, Any]:
    at = BEGIN.isoformat()
    fixed = {"id": str(uuid.uuid4()), "title": title, "created_at": at, "updated_at": at}
    return {**fixed, "messages": messages, **more}


def export(*conversations: dict[str, Any]) -> dict[str, Any]:
    return {"format": "codellama-conversations", "version": 1, "conversations": list(conversations)}


def take_in(client: httpx.Client, *conversations: dict[str, Any]) -> list[str]:
    """Import conversations; their new ids."""
    response = client.post("/api/conversations/import", json=export(*conversations))
    assert response.status_code == 201, response.text
    return [each["id"] for each in response.json()["conversations"]]


def somebody_elses(database_url: str, content: str = "their secret") -> tuple[str, str]:
    """Ids of a conversation of another person, and of a finished answer in it."""
    user, page, question, answer = (uuid7() for _ in range(4))

    async def make() -> None:
        database = Database(database_url)
        async with database.session() as session:
            session.add(User(id=user, email=f"{user}@example.org", name="Other", role=Role.MEMBER))
            await session.flush()
            session.add(Conversation(id=page, user_id=user, title="theirs", folder="Theirs"))
            await session.flush()
            session.add(Message(id=question, conversation_id=page, author=Author.USER, content=content))
            await session.flush()
            session.add(
                Message(
                    id=answer, conversation_id=page, parent_id=question, author=Author.ASSISTANT, content=content,
                    finish_reason="length",
                )
            )  # fmt: skip
            await session.flush()
            await search.index(session, Message.conversation_id == page)
        await database.close()

    asyncio.run(make())
    return str(page), str(answer)
