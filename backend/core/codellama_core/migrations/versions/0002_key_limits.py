"""limits of API keys"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LIMITS = ("requests_per_minute", "tokens_per_minute")


def upgrade() -> None:
    for name in LIMITS:
        op.add_column("api_keys", sa.Column(name, sa.Integer(), nullable=True))
        op.create_check_constraint(op.f(f"ck_api_keys_{name}"), "api_keys", f"{name} > 0")


def downgrade() -> None:
    for name in LIMITS:
        op.drop_constraint(op.f(f"ck_api_keys_{name}"), "api_keys", type_="check")
        op.drop_column("api_keys", name)
