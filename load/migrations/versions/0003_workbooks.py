"""the origin and the sheet rows of claims and issues, and every row of every imported workbook."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from load.columns import Id, LongText
from load.migrations.append_only import append_only

revision = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Each step checks first whether it is done: MariaDB cannot roll back a migration that was killed halfway."""
    for table in ("claim", "issue"):
        there = {c["name"] for c in sa.inspect(op.get_bind()).get_columns(table)}
        columns: list[sa.Column[Any]] = [
            sa.Column("origin", sa.String(10), nullable=False, server_default="his"),
            sa.Column("record", LongText),
        ]
        for column in columns:
            if column.name not in there:
                op.add_column(table, column)
    op.create_table(
        "workbook_row",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("file_hash", sa.String(64), nullable=False),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("sheet", sa.String(64), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(4), nullable=False),
        sa.Column("vn", sa.String(32), nullable=False),
        sa.Column("item", sa.String(32), nullable=False),
        sa.Column("claim_id", Id),
        sa.Column("refusal_th", sa.Text()),
        sa.Column("refusal_en", sa.Text()),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"]),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    for columns_of_index in (["run_id", "claim_id"], ["claim_id"], ["file_hash"]):
        name = f"ix_workbook_row_{'_'.join(columns_of_index)}"
        op.create_index(name, "workbook_row", columns_of_index, if_not_exists=True)
    for statement in append_only(op.get_bind().dialect.name, "workbook_row", "a row of a workbook is never changed"):
        op.execute(sa.text(statement.replace(":", r"\:")))
