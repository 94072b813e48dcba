"""one-time links, sign-in at an identity provider, an index for the audit log"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("users", sa.Column("oidc_subject", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("last_sign_in_at", sa.DateTime(timezone=True), nullable=True))
    op.create_unique_constraint(op.f("uq_users_oidc_subject"), "users", ["oidc_subject"])
    op.create_index(op.f("ix_audit_log_created_at"), "audit_log", ["created_at"])
    op.create_table(
        "account_links",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column(
            "purpose", sa.Enum("setup", "password", name="linkpurpose", native_enum=False, length=16), nullable=False
        ),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_account_links_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_account_links")),
    )
    op.create_index(op.f("ix_account_links_user_id"), "account_links", ["user_id"])
    op.create_table(
        "oidc_attempts",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_oidc_attempts")),
    )


def downgrade() -> None:
    op.drop_table("oidc_attempts")
    op.drop_table("account_links")
    op.drop_index(op.f("ix_audit_log_created_at"), "audit_log")
    op.drop_constraint(op.f("uq_users_oidc_subject"), "users", type_="unique")
    op.drop_column("users", "last_sign_in_at")
    op.drop_column("users", "oidc_subject")
