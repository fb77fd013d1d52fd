"""seals of what each run has written, payloads kept once, tombstones of what is erased, and the log of accesses."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from load.columns import MARIADB, Id, Instant, LongText
from load.seals import SEALED_ROW_BY_ROW, append_seal, found_history, row_hashes, rows_digest, seal_run
from load.tables import claim_history, facility_lock, run, seal, sealed_row
from load.triggers import drop_triggers, make_triggers

revision = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None

_OPEN = ("ready", "held", "retry", "in_doubt", "sending")
_CHECK = "erased_by is null or state not in ({})".format(", ".join(f"'{state}'" for state in _OPEN))
_ERASED = ("erased_by", sa.String(36))
_TEXT_HASH = ("text_hash", sa.String(64))
_WRITTEN = ("written_by", sa.String(36))
_COLUMNS: dict[str, list[tuple[str, sa.String]]] = {
    "claim": [_WRITTEN, _ERASED],
    "issue": [_WRITTEN, _ERASED],
    "claim_history": [_TEXT_HASH, _ERASED],
    "submission": [_TEXT_HASH, _ERASED],
    "workbook_row": [_TEXT_HASH, _ERASED],
}
_FORMER_FUNCTIONS = ("moph_claim_keep", "moph_claim_registered", "moph_claim_moved")


def upgrade() -> None:
    """Apply. Each step checks first whether it is done: MariaDB cannot roll back a migration that was killed halfway."""
    connection = op.get_bind()
    drop_triggers(connection)
    if connection.dialect.name == "postgresql":
        for function in _FORMER_FUNCTIONS:
            op.execute(f"drop function if exists {function}()")
    for table, columns in _COLUMNS.items():
        there = {c["name"] for c in sa.inspect(connection).get_columns(table)}
        for name, kind in columns:
            if name not in there:
                op.add_column(table, sa.Column(name, kind))
    _create_tables()
    for table, column in (("claim", "written_by"), ("issue", "written_by"), ("claim_history", "run_id")):
        name = f"ix_{table}_{column}"
        if name not in {i["name"] for i in sa.inspect(connection).get_indexes(table)}:
            op.create_index(name, table, [column])
    _update_constraints()
    _keep_payloads_once()
    _seal_what_is_there()
    make_triggers(connection)


def _create_tables() -> None:
    op.create_table(
        "former_payload",
        sa.Column("claim_id", Id, autoincrement=False, nullable=False),
        sa.Column("payload_hash", sa.String(64), nullable=False),
        sa.Column("payload", LongText),
        sa.Column("erased_by", sa.String(36)),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"]),
        sa.PrimaryKeyConstraint("claim_id", "payload_hash"),
        if_not_exists=True,
        **MARIADB,
    )
    op.create_table(
        "seal",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("environment", sa.String(10), nullable=False),
        sa.Column("hcode", sa.String(5), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(36)),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("environment", "hcode", "number", name="uq_seal_place"),
        if_not_exists=True,
        **MARIADB,
    )
    op.create_index("ix_seal_run_id", "seal", ["run_id"], if_not_exists=True)
    op.create_table(
        "sealed_row",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("seal_id", Id, nullable=False),
        sa.Column("of_table", sa.String(8), nullable=False),
        sa.Column("row_id", Id, nullable=False),
        sa.Column("row_hash", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["seal_id"], ["seal.id"]),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
        **MARIADB,
    )
    op.create_index("ix_sealed_row_seal_id", "sealed_row", ["seal_id"], if_not_exists=True)
    op.create_index("ix_sealed_row_of_table_row_id", "sealed_row", ["of_table", "row_id"], if_not_exists=True)
    op.create_table(
        "access",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("environment", sa.String(10), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("hcode", sa.String(5), nullable=False),
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("run_id", sa.String(36)),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("environment", "number", name="uq_access_place"),
        if_not_exists=True,
        **MARIADB,
    )


def _update_constraints() -> None:
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    # SQLite cannot alter a table like this: Alembic creates it anew.
    if "claim_erased" not in {c["name"] for c in sa.inspect(connection).get_check_constraints("claim")}:
        with op.batch_alter_table("claim", recreate="always" if sqlite else "never") as batch:
            batch.create_check_constraint("claim_erased", _CHECK)
    with op.batch_alter_table("submission", recreate="always" if sqlite else "never") as batch:
        batch.alter_column("request", existing_type=LongText, nullable=True)


def _keep_payloads_once() -> None:
    """Take a request out that is the claim's payload, which is there already; one that the claim has no more is moved."""
    op.execute(
        "update submission set request = null where request = (select payload from claim where claim.id = claim_id "
        "and claim.payload_hash = submission.payload_hash)"
    )


def _seal_what_is_there() -> None:
    """Seal every run that holds no facility, in their order; then, for each facility, whatever no run is known to have written."""
    connection = op.get_bind()
    there = sa.inspect(connection)

    def columns(table: sa.Table) -> list[sa.Column[Any]]:
        known = {c["name"] for c in there.get_columns(table.name)}
        return [c for c in table.c if c.name in known]

    if connection.scalar(sa.select(seal.c.id).limit(1)):  # MariaDB: done by an upgrade that was killed after it
        for table in (sealed_row, seal):
            connection.execute(table.delete())
    over = sa.select(run.c.id).where(run.c.id.not_in(sa.select(facility_lock.c.run_id)))
    for run_id in list(connection.scalars(over.order_by(run.c.started_at, run.c.id))):
        seal_run(connection, run_id, columns=columns)
    for environment, hcode in _facilities(connection):
        rows = []
        for name, table in SEALED_ROW_BY_ROW.items():
            mine = (table.c.environment == environment) & (table.c.hcode == hcode)
            rows += [(name, row_id, h.hex()) for row_id, h in row_hashes(connection, table, mine, columns)]
        end = rows_digest(connection, claim_history, found_history(environment, hcode), columns)
        append_seal(connection, environment, hcode, None, {"history": [end.number, end.hash]}, rows)


def _facilities(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    pairs: set[tuple[str, str]] = set()
    for table in SEALED_ROW_BY_ROW.values():
        pairs |= {
            (r.environment, r.hcode)
            for r in connection.execute(sa.select(table.c.environment, table.c.hcode).distinct())
        }
    return iter(sorted(pairs))
