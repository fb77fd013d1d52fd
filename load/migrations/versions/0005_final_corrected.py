"""a person may correct a claim refused for good; a run says whether its machine keeps a mark of how far the audit has come."""

import sqlalchemy as sa
from alembic import op

from load.triggers import make_triggers

revision = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Each step may be done twice: MariaDB cannot roll back a migration that was killed halfway."""
    connection = op.get_bind()
    if "marked" not in {c["name"] for c in sa.inspect(connection).get_columns("run")}:
        op.add_column("run", sa.Column("marked", sa.Boolean()))
    # From the transitions of `load.states`, which has one more.
    make_triggers(connection)
