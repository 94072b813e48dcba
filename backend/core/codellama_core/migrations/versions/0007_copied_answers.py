"""when an answer was copied"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("copied_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("messages", "copied_at")
