"""Alembic's entry point: `load.database.open_audit` passes the connection."""

from alembic import context

from load.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
