"""settings of a conversation: system prompt, sampling, model"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

CHECKS = {
    "temperature": "temperature BETWEEN 0 AND 2",
    "top_p": "top_p > 0 AND top_p <= 1",
    "max_tokens": "max_tokens > 0",
}


def upgrade() -> None:
    op.add_column("conversations", sa.Column("system_prompt", sa.Text(), nullable=True))
    op.add_column("conversations", sa.Column("temperature", sa.Float(), nullable=True))
    op.add_column("conversations", sa.Column("top_p", sa.Float(), nullable=True))
    op.add_column("conversations", sa.Column("max_tokens", sa.Integer(), nullable=True))
    op.add_column("conversations", sa.Column("model", sa.Text(), nullable=True))
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_conversations_{name}"), "conversations", condition)


def downgrade() -> None:
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_conversations_{name}"), "conversations", type_="check")
    for name in ("model", "max_tokens", "top_p", "temperature", "system_prompt"):
        op.drop_column("conversations", name)
