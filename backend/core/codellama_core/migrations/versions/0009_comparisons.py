"""blind comparisons of two answers"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MESSAGES = ("question_id", "left_id", "right_id")


def upgrade() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Uuid(), nullable=False) for name in MESSAGES),
        sa.Column("left_model", sa.Text(), nullable=False),
        sa.Column("right_model", sa.Text(), nullable=False),
        sa.Column(
            "vote",
            sa.Enum("left", "right", "tie", "bad", name="vote", native_enum=False, length=16),
            nullable=True,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("vote IS NULL OR closed_at IS NOT NULL", name=op.f("ck_comparisons_vote_closes")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_comparisons_user_id"), ondelete="CASCADE"),
        *(
            sa.ForeignKeyConstraint([name], ["messages.id"], name=op.f(f"fk_comparisons_{name}"), ondelete="CASCADE")
            for name in MESSAGES
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparisons")),
        *(sa.UniqueConstraint(name, name=op.f(f"uq_comparisons_{name}")) for name in MESSAGES),
    )
    op.create_index(op.f("ix_comparisons_user_id"), "comparisons", ["user_id"])


def downgrade() -> None:
    op.drop_table("comparisons")
