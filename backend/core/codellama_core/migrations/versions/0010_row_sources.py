"""training rows by their source"""

from collections.abc import Sequence

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index("ix_training_rows_source", "training_rows", ["source_kind", "source_id"])


def downgrade() -> None:
    op.drop_index("ix_training_rows_source", table_name="training_rows")
