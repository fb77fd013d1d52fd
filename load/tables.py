"""The tables of the audit database: claims and their history, exchanges, issues, runs, locks. Times are UTC in the
database, and aware in Python.

Triggers (`load.triggers`) keep all tables append-only but `run`, `facility_lock`, `claim` and `issue`, refuse transitions
that are not in `load.states`, record every change of a claim's state in `claim_history`, and keep each payload that was sent.
`erased_by` is the run that took the personal data out of a row (`load.erasure`).
"""

from typing import Literal

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from load.columns import MARIADB, Id, Instant, LongText, metadata
from load.proof_tables import access, former_payload, seal, sealed_row
from load.states import OPEN_STATES, State

__all__ = [
    "Origin",
    "access",
    "claim",
    "claim_history",
    "facility_lock",
    "former_payload",
    "issue",
    "metadata",
    "run",
    "seal",
    "sealed_row",
    "submission",
    "workbook_row",
]

Origin = Literal["his", "workbook"]
"""Where data comes from: the hospital database, or a person's workbook."""

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
    # Whether its machine kept a mark of how far the audit had come (`load.high_water_mark`); null before migration 0005.
    Column("marked", Boolean),
    CheckConstraint("state in ('running', 'completed', 'failed')", name="run_state"),
    **MARIADB,
)

facility_lock = Table(
    "facility_lock",
    metadata,
    Column("environment", String(10), primary_key=True),
    Column("hcode", String(5), primary_key=True),
    Column("run_id", String(36), nullable=False),
    Column("expires_at", Instant, nullable=False),
    **MARIADB,
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
    # The run that last read it at its source, the HIS, as it is here: only such claims are sent (`load.queue`).
    Column("read_by", String(36)),
    # The run that last wrote anything into this row: the end of that run seals it. Null: sealed by migration 0004.
    Column("written_by", String(36), index=True),
    Column("erased_by", String(36)),
    UniqueConstraint("environment", "hcode", "kind", "vn", "item", name="uq_claim_key"),
    CheckConstraint("state in ({})".format(", ".join(f"'{s}'" for s in State)), name="claim_state"),
    CheckConstraint("state <> 'sending' or run_id is not null", name="claim_sent_by_a_run"),
    # Without its payload a claim can never be sent again.
    CheckConstraint(
        "erased_by is null or state not in ({})".format(", ".join(f"'{s}'" for s in OPEN_STATES)), name="claim_erased"
    ),
    Index("ix_claim_due", "environment", "hcode", "state", "service_date"),
    Index("ix_claim_person", "pid", "kind"),
    Index("ix_claim_day", "hcode", "service_date"),
    **MARIADB,
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
    Column("run_id", String(36), index=True),
    Column("payload_hash", String(64), nullable=False),
    Column("message", String(500)),
    # SHA-256 of the texts that were erased (`load.seals.ERASABLE`); null while they are there.
    Column("text_hash", String(64)),
    Column("erased_by", String(36)),
    **MARIADB,
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
    # Null: the claim's payload of this hash, which is kept once (in `claim`, or `former_payload`).
    Column("request", LongText),
    Column("http_status", Integer),
    Column("response", LongText),
    Column("failure", String(80)),
    Column("outcome", String(20), nullable=False),
    Column("message", String(500)),
    Column("transaction_uid", String(64)),
    # SHA-256 of request, response and message, which `hash` covers in their place; null in rows of before migration 0004.
    Column("text_hash", String(64)),
    Column("erased_by", String(36)),
    UniqueConstraint("run_id", "number", name="uq_submission_place"),
    **MARIADB,
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
    # As in `claim`.
    Column("written_by", String(36), index=True),
    Column("erased_by", String(36)),
    UniqueConstraint("environment", "hcode", "kind", "vn", "item", "rule", "field", name="uq_issue_key"),
    Index("ix_issue_day", "environment", "hcode", "service_date"),
    **MARIADB,
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
    Column("text_hash", String(64)),
    Column("erased_by", String(36)),
    Index("ix_workbook_row_run_id_claim_id", "run_id", "claim_id"),
    **MARIADB,
)
