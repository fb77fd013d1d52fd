"""the state machine in the database, the claims' history, and the chain of submissions."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from load.chain import beginning, link
from load.columns import Id, Instant
from load.migrations.append_only import append_only, never_replaced

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

STATES = (
    "ready",
    "sending",
    "accepted",
    "presumed_accepted",
    "held",
    "retry",
    "in_doubt",
    "correctable",
    "final",
    "given_up",
    "withdrawn",
)
# The transitions at the time of this migration; one that changes `load.states` must create the triggers anew.
_DUE = ("ready", "held", "retry", "in_doubt")
_ANSWERS = ("accepted", "presumed_accepted", "held", "correctable", "final", "retry", "in_doubt")
TRANSITIONS = {
    "ready": ("sending", "withdrawn"),
    "sending": (*_ANSWERS, "ready", "given_up"),
    "presumed_accepted": ("accepted", "final", "ready"),
    "held": ("sending", "withdrawn", "given_up"),
    "retry": ("sending", "withdrawn"),
    "in_doubt": ("sending", *(a for a in _ANSWERS if a != "in_doubt")),
    "correctable": ("sending", "withdrawn", "ready"),
    "given_up": ("sending", "withdrawn", "ready"),
    "withdrawn": ("ready",),
}
_CHECKS = {
    "claim_state": "state in ({})".format(", ".join(f"'{s}'" for s in STATES)),
    "claim_sent_by_a_run": "state <> 'sending' or run_id is not null",
}
_HISTORY = ("claim_id", "at", "before", "after", "cause", "run_id", "payload_hash", "message")
_MARIADB = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}


def upgrade() -> None:
    """Apply. Each step checks first whether it is done: MariaDB cannot roll back a migration that was killed halfway."""
    tables: dict[str, list[sa.Column[Any]]] = {
        "run": [
            sa.Column("exchanges", sa.Integer()),
            sa.Column("chain_hash", sa.String(64)),
        ],
        "claim": [
            sa.Column("cause", sa.String(20), nullable=False, server_default="found"),
            sa.Column("changed_by", sa.String(36)),
            sa.Column("transaction_status", sa.String(80)),
            sa.Column("transaction_status_th", sa.String(200)),
            sa.Column("status_asked_at", Instant()),
        ],
        "submission": [
            sa.Column("number", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("previous_hash", sa.String(64), nullable=False, server_default=""),
            sa.Column("hash", sa.String(64), nullable=False, server_default=""),
        ],
    }
    for table, columns in tables.items():
        there = {c["name"] for c in sa.inspect(op.get_bind()).get_columns(table)}
        for column in columns:
            if column.name not in there:
                op.add_column(table, column)
    _chain_existing()
    _update_constraints()
    op.create_table(
        "claim_history",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("claim_id", Id, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("before", sa.String(20)),
        sa.Column("after", sa.String(20), nullable=False),
        sa.Column("cause", sa.String(20), nullable=False),
        sa.Column("run_id", sa.String(36)),
        sa.Column("payload_hash", sa.String(64), nullable=False),
        sa.Column("message", sa.String(500)),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"]),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
        **_MARIADB,
    )
    if "ix_claim_history_claim_id" not in {i["name"] for i in sa.inspect(op.get_bind()).get_indexes("claim_history")}:
        op.create_index("ix_claim_history_claim_id", "claim_history", ["claim_id"])
    # The history of claims that exist already begins with their present state.
    op.execute(
        f"insert into claim_history ({', '.join(_names(_HISTORY))}) "  # noqa: S608 - names of ours
        "select id, updated_at, null, state, cause, run_id, payload_hash, message from claim "
        "where id not in (select claim_id from claim_history)"
    )
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(sa.text(statement.replace(":", r"\:")))


def _chain_existing() -> None:
    """Number and chain the submissions of every run in the order in which they were written."""
    connection = op.get_bind()
    submission = sa.Table("submission", sa.MetaData(), autoload_with=connection, resolve_fks=False)
    for name in ("sent_at", "answered_at"):
        submission.c[name].type = Instant()
    run = sa.table("run", *(sa.column(name) for name in ("id", "exchanges", "chain_hash")))
    for run_id in list(connection.scalars(sa.select(submission.c.run_id).distinct())):
        number, last = 0, beginning(run_id).hash
        ids = list(connection.scalars(sa.select(submission.c.id).where(submission.c.run_id == run_id).order_by("id")))
        for number, row_id in enumerate(ids, start=1):
            mine = submission.c.id == row_id
            row = dict(connection.execute(sa.select(submission).where(mine)).mappings().one())
            row |= {"number": number, "previous_hash": last}
            last = link(row)
            connection.execute(
                submission.update().where(mine).values(number=number, previous_hash=row["previous_hash"], hash=last)
            )
        connection.execute(run.update().where(run.c.id == run_id).values(exchanges=number, chain_hash=last))


def _update_constraints() -> None:
    connection = op.get_bind()
    unique = {u["name"] for u in sa.inspect(connection).get_unique_constraints("submission")}
    drop_index = "ix_submission_run_id" in {i["name"] for i in sa.inspect(connection).get_indexes("submission")}
    checks = {c["name"] for c in sa.inspect(connection).get_check_constraints("claim")}
    sqlite = connection.dialect.name == "sqlite"
    # SQLite cannot alter a table like this: Alembic creates it anew.
    with op.batch_alter_table("claim", recreate="always" if sqlite else "never") as batch:
        for name, sql in _CHECKS.items():
            if name in checks:
                batch.drop_constraint(name, type_="check")
            batch.create_check_constraint(name, sql)
        batch.alter_column("cause", existing_type=sa.String(20), existing_nullable=False, server_default=None)
    with op.batch_alter_table("submission", recreate="always" if sqlite else "never") as batch:
        if "uq_submission_place" not in unique:
            batch.create_unique_constraint("uq_submission_place", ["run_id", "number"])
        if drop_index:  # the unique constraint's index replaces it
            batch.drop_index("ix_submission_run_id")
        for name, kind in (("number", sa.Integer()), ("previous_hash", sa.String(64)), ("hash", sa.String(64))):
            batch.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)


def _names(columns: tuple[str, ...]) -> Iterator[str]:
    """The names quoted for this database: `before` and `after` are reserved words."""
    quote = op.get_bind().dialect.identifier_preparer.quote_identifier
    return (quote(name) for name in columns)


def _triggers(dialect: str) -> Iterator[str]:
    pairs = ", ".join(f"'{before}>{after}'" for before, some in TRANSITIONS.items() for after in some)
    keep = (
        ("submission", "a submission is never changed", "run_id = new.run_id and number = new.number"),
        ("claim_history", "history is never changed"),
    )
    into = f"insert into claim_history ({', '.join(_names(_HISTORY))}) values"
    message = "case when new.cause in ('answered', 'person') then new.message end"
    rest = f"new.state, new.cause, new.changed_by, new.payload_hash, {message})"
    first, later = f"{into} (new.id, new.updated_at, null, {rest}", f"{into} (new.id, new.updated_at, old.state, {rest}"
    if dialect == "postgresql":
        yield (
            "create or replace function moph_claim_keep() returns trigger language plpgsql as $$ "
            "begin raise exception '% is never changed', tg_table_name using errcode = 'integrity_constraint_violation'; end $$"
        )
    for of_table in keep:
        yield from append_only(dialect, *of_table)
    if dialect == "sqlite":
        yield "create trigger claim_no_delete before delete on claim begin select raise(abort, 'a claim is never deleted'); end"
        key = ("environment", "hcode", "kind", "vn", "item")
        yield never_replaced("claim", " and ".join(f"{c} = new.{c}" for c in key))
        yield (
            "create trigger claim_transition before update of state on claim "
            f"when old.state <> new.state and old.state || '>' || new.state not in ({pairs}) "
            "begin select raise(abort, 'illegal transition of a claim'); end"
        )
        yield f"create trigger claim_registered after insert on claim begin {first}; end"
        yield (
            f"create trigger claim_moved after update of state on claim when old.state <> new.state begin {later}; end"
        )
    elif dialect == "postgresql":
        yield (
            "create trigger claim_keep before delete or truncate on claim for each statement execute function moph_claim_keep()"
        )
        yield (
            "create or replace function moph_claim_registered() returns trigger language plpgsql as $$ "
            f"begin {first}; return null; end $$"
        )
        yield (
            "create or replace function moph_claim_moved() returns trigger language plpgsql as $$ "
            f"begin if old.state || '>' || new.state not in ({pairs}) then "
            "raise exception 'illegal transition of a claim' using errcode = 'integrity_constraint_violation'; end if; "
            f"{later}; return null; end $$"
        )
        yield "create trigger claim_registered after insert on claim for each row execute function moph_claim_registered()"
        yield (
            "create trigger claim_moved after update of state on claim "
            "for each row when (old.state <> new.state) execute function moph_claim_moved()"
        )
    else:
        refuse = "signal sqlstate '45000' set message_text"
        yield f"create or replace trigger claim_no_delete before delete on claim for each row {refuse} = 'a claim is never deleted'"
        yield (
            "create or replace trigger claim_transition before update on claim for each row "
            f"if old.state <> new.state and concat(old.state, '>', new.state) not in ({pairs}) then "
            f"{refuse} = 'illegal transition of a claim'; end if"
        )
        yield f"create or replace trigger claim_registered after insert on claim for each row {first}"
        yield (
            "create or replace trigger claim_moved after update on claim for each row "
            f"if old.state <> new.state then {later}; end if"
        )
