"""a claim names the run that last read it at its source; more transitions: what was only asked about, and what a person takes back."""

import sqlalchemy as sa
from alembic import op

from load.triggers import make_triggers

revision = "0006"
down_revision: str | None = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Each step may be done twice: MariaDB cannot roll back a migration that was killed halfway."""
    connection = op.get_bind()
    if "read_by" not in {c["name"] for c in sa.inspect(connection).get_columns("claim")}:
        op.add_column("claim", sa.Column("read_by", sa.String(36)))
    make_triggers(connection)
