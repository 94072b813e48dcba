"""pinned, archived and filed conversations; full-text search; imported messages"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from codellama_core.search import vector

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BATCH: Final = 1000
UNFINISHED: Final = "('queued', 'reading', 'writing')"


def upgrade() -> None:
    op.add_column("conversations", sa.Column("folder", sa.Text(), nullable=True))
    op.add_column("conversations", sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("conversations", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_conversations_folder"), "conversations", "length(folder) BETWEEN 1 AND 60")
    op.drop_index("ix_conversations_user_id_updated_at", table_name="conversations")
    op.create_index("ix_conversations_user_id_updated_at_id", "conversations", ["user_id", "updated_at", "id"])
    op.create_index("ix_conversations_user_id_created_at", "conversations", ["user_id", "created_at"])
    op.add_column("messages", sa.Column("imported_model", sa.Text(), nullable=True))
    op.create_index("ix_messages_conversation_id_created_at_id", "messages", ["conversation_id", "created_at", "id"])
    op.drop_index("ix_messages_conversation_id", table_name="messages")
    _create_search()


def _create_search() -> None:
    op.create_table(
        "message_search",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_message_search_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message_search")),
    )
    _fill()
    op.create_index(
        "ix_message_search_words", "message_search", ["words"], postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )  # fmt: skip


def _fill() -> None:
    """Index what is there, oldest first: the order in which rows will come."""
    connection = op.get_bind()
    finished = sa.text(
        "SELECT m.id, c.user_id, m.created_at, m.content, CASE WHEN m.parent_id IS NULL THEN c.title ELSE '' END"
        f" FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.status NOT IN {UNFINISHED}"
        " AND m.id > :after ORDER BY m.id LIMIT :batch"
    )
    insert = sa.text("INSERT INTO message_search VALUES (:id, :user_id, :created_at, CAST(:words AS tsvector))")
    after = "00000000-0000-0000-0000-000000000000"
    while rows := connection.execute(finished, {"after": after, "batch": BATCH}).all():
        values = [
            {"id": id_, "user_id": user, "created_at": at, "words": vector(user, at, title, content)}
            for id_, user, at, content, title in rows
        ]
        connection.execute(insert, values)
        after = rows[-1][0]


def downgrade() -> None:
    op.drop_table("message_search")
    op.create_index("ix_messages_conversation_id", "messages", ["conversation_id"])
    op.drop_index("ix_messages_conversation_id_created_at_id", table_name="messages")
    op.drop_column("messages", "imported_model")
    op.drop_index("ix_conversations_user_id_created_at", table_name="conversations")
    op.drop_index("ix_conversations_user_id_updated_at_id", table_name="conversations")
    op.create_index("ix_conversations_user_id_updated_at", "conversations", ["user_id", "updated_at"])
    op.drop_constraint(op.f("ck_conversations_folder"), "conversations", type_="check")
    for name in ("archived_at", "pinned_at", "folder"):
        op.drop_column("conversations", name)
