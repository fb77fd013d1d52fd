"""Alembic's entry: the connection is handed over by `load.database.open_audit`."""

from alembic import context

from load.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
