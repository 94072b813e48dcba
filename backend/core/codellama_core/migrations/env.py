"""Alembic's entry point; ``codellama_core.database.migrate`` hands over the connection."""

from alembic import context

from codellama_core.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
