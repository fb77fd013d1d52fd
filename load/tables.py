"""The tables of the audit database: claims and their history, exchanges, issues, runs, locks. Times are UTC in the
database, and aware in Python.

Triggers (migrations 0002 and 0003) keep `submission`, `claim_history` and `workbook_row` append-only, refuse transitions
that are not in `load.states`, and record every change of a claim's state in `claim_history`.
"""

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import BigInteger, TypeDecorator

from load.states import State


class Instant(TypeDecorator[datetime]):
    """A date and time, stored as UTC with microseconds on every database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Ask MariaDB for microseconds, which it cuts off by default."""
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name in ("mysql", "mariadb") else DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Store an aware datetime as naive UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read naive UTC as an aware datetime."""
        return None if value is None else value.replace(tzinfo=UTC)


Origin = Literal["his", "workbook"]
"""Where data comes from: the hospital database, or a person's workbook."""

# SQLite numbers rows only in a column of type INTEGER; MariaDB's TEXT holds 64 KB at most.
Id = BigInteger().with_variant(Integer, "sqlite")
LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s"})
# Keys are compared byte by byte: visit numbers that differ in upper and lower case are different visits.
_MARIADB: Any = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}

run = Table(
    "run",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("environment", String(10), nullable=False),
    Column("hcode", String(5), nullable=False),
    Column("flow", String(40), nullable=False),
    Column("parameters", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("started_at", Instant, nullable=False, index=True),
    Column("ended_at", Instant),
    Column("log_ins", Integer, nullable=False, server_default="0"),
    Column("counts", Text),
    Column("message_th", Text),
    Column("message_en", Text),
    # The end of its chain of submissions, once the run has ended: how many there are, and the hash of the last.
    Column("exchanges", Integer),
    Column("chain_hash", String(64)),
    CheckConstraint("state in ('running', 'completed', 'failed')", name="run_state"),
    **_MARIADB,
)

facility_lock = Table(
    "facility_lock",
    metadata,
    Column("environment", String(10), primary_key=True),
    Column("hcode", String(5), primary_key=True),
    Column("run_id", String(36), nullable=False),
    Column("expires_at", Instant, nullable=False),
    **_MARIADB,
)

claim = Table(
    "claim",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    # Part of the key: a claim that was accepted in a test environment is not paid.
    Column("environment", String(10), nullable=False),
    Column("hcode", String(5), nullable=False),
    Column("kind", String(4), nullable=False),
    Column("vn", String(32), nullable=False),
    Column("item", String(16), nullable=False),
    Column("hn", String(32), nullable=False),
    Column("pid", String(13), nullable=False),
    Column("service", String(4), nullable=False),
    Column("service_date", Date, nullable=False),
    Column("baht", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    # The cause of the last change of state, and the run that made it (a person's decision is a run too, of flow `settle`);
    # null where the last change was made before migration 0002 added the column.
    Column("cause", String(20), nullable=False),
    Column("changed_by", String(36)),
    Column("payload", LongText, nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("sent_hash", String(64)),
    Column("maybe_taken", Boolean, nullable=False, key="possibly_accepted"),
    Column("transaction_uid", String(64), index=True),
    Column("tries", Integer, nullable=False),
    Column("message", String(500)),
    Column("meaning_th", String(500)),
    Column("meaning_en", String(500)),
    # The transaction's status as MOPH Claim gave it, and when it was last asked for.
    Column("transaction_status", String(80)),
    Column("transaction_status_th", String(200)),
    Column("status_asked_at", Instant),
    # The run that sent it last, or is sending it.
    Column("run_id", String(36), ForeignKey("run.id")),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # Where its payload comes from, and the sheet rows it was made of, as JSON.
    Column("origin", String(10), nullable=False, server_default="his"),
    Column("record", LongText),
    UniqueConstraint("environment", "hcode", "kind", "vn", "item", name="uq_claim_key"),
    CheckConstraint("state in ({})".format(", ".join(f"'{s}'" for s in State)), name="claim_state"),
    CheckConstraint("state <> 'sending' or run_id is not null", name="claim_sent_by_a_run"),
    Index("ix_claim_due", "environment", "hcode", "state", "service_date"),
    Index("ix_claim_person", "pid", "kind"),
    Index("ix_claim_day", "hcode", "service_date"),
    **_MARIADB,
)

# Written only by the triggers on `claim`: one row for every state that a claim has been in.
claim_history = Table(
    "claim_history",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("claim_id", Id, ForeignKey("claim.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("before", String(20)),
    Column("after", String(20), nullable=False),
    Column("cause", String(20), nullable=False),
    Column("run_id", String(36)),
    Column("payload_hash", String(64), nullable=False),
    Column("message", String(500)),
    **_MARIADB,
)

submission = Table(
    "submission",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("claim_id", Id, ForeignKey("claim.id"), nullable=False, index=True),
    Column("run_id", String(36), ForeignKey("run.id"), nullable=False),
    # Its place in the run's chain, from 1; the hash covers its content and the previous row's hash (`load.chain`).
    Column("number", Integer, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("chunk", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("call", String(12), nullable=False),
    Column("path", String(200), nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("answered_at", Instant, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("request", LongText, nullable=False),
    Column("http_status", Integer),
    Column("response", LongText),
    Column("failure", String(80)),
    Column("outcome", String(20), nullable=False),
    Column("message", String(500)),
    Column("transaction_uid", String(64)),
    UniqueConstraint("run_id", "number", name="uq_submission_place"),
    **_MARIADB,
)

issue = Table(
    "issue",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("environment", String(10), nullable=False),
    Column("hcode", String(5), nullable=False),
    Column("kind", String(4), nullable=False),
    Column("vn", String(32), nullable=False),
    Column("item", String(32), nullable=False),
    Column("rule", String(60), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("hn", String(32), nullable=False),
    Column("service_date", Date, nullable=False),
    Column("field", String(60), nullable=False),
    Column("message_th", Text, nullable=False),
    Column("message_en", Text, nullable=False),
    Column("first_run_id", String(36), ForeignKey("run.id"), nullable=False),
    Column("run_id", String(36), ForeignKey("run.id"), nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    # Where the record it is about comes from, and that record's sheet rows, as JSON.
    Column("origin", String(10), nullable=False, server_default="his"),
    Column("record", LongText),
    UniqueConstraint("environment", "hcode", "kind", "vn", "item", "rule", "field", name="uq_issue_key"),
    Index("ix_issue_day", "environment", "hcode", "service_date"),
    **_MARIADB,
)

# Every row of every imported workbook: the visit it is about, and the claim it is part of or the reason why of none.
workbook_row = Table(
    "workbook_row",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("run_id", String(36), ForeignKey("run.id"), nullable=False),
    Column("file_hash", String(64), nullable=False, index=True),
    Column("file_name", String(255), nullable=False),
    Column("sheet", String(64), nullable=False),
    Column("row_number", Integer, nullable=False),
    # Each is empty where the row does not give it.
    Column("kind", String(4), nullable=False),
    Column("vn", String(32), nullable=False),
    Column("item", String(32), nullable=False),
    # The claim it is part of; else the reason why it is of none, if one is known.
    Column("claim_id", Id, ForeignKey("claim.id"), index=True),
    Column("refusal_th", Text),
    Column("refusal_en", Text),
    Index("ix_workbook_row_run_id_claim_id", "run_id", "claim_id"),
    **_MARIADB,
)
