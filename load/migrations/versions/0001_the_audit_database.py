"""the audit database."""

import sqlalchemy as sa
from alembic import op

from load.columns import Id, Instant, LongText

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Skips what exists already: MariaDB cannot roll back a migration that was killed halfway."""
    op.create_table(
        "facility_lock",
        sa.Column("environment", sa.String(length=10), nullable=False),
        sa.Column("hcode", sa.String(length=5), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "hcode"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        if_not_exists=True,
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("environment", sa.String(length=10), nullable=False),
        sa.Column("hcode", sa.String(length=5), nullable=False),
        sa.Column("flow", sa.String(length=40), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("log_ins", sa.Integer(), server_default="0", nullable=False),
        sa.Column("counts", sa.Text(), nullable=True),
        sa.Column("message_th", sa.Text(), nullable=True),
        sa.Column("message_en", sa.Text(), nullable=True),
        sa.CheckConstraint("state in ('running', 'completed', 'failed')", name="run_state"),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        if_not_exists=True,
    )
    op.create_index("ix_run_started_at", "run", ["started_at"], unique=False, if_not_exists=True)

    op.create_table(
        "claim",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("environment", sa.String(length=10), nullable=False),
        sa.Column("hcode", sa.String(length=5), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("vn", sa.String(length=32), nullable=False),
        sa.Column("item", sa.String(length=16), nullable=False),
        sa.Column("hn", sa.String(length=32), nullable=False),
        sa.Column("pid", sa.String(length=13), nullable=False),
        sa.Column("service", sa.String(length=4), nullable=False),
        sa.Column("service_date", sa.Date(), nullable=False),
        sa.Column("baht", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("payload", LongText, nullable=False),
        sa.Column("payload_hash", sa.String(length=64), nullable=False),
        sa.Column("sent_hash", sa.String(length=64), nullable=True),
        sa.Column("maybe_taken", sa.Boolean(), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("meaning_th", sa.String(length=500), nullable=True),
        sa.Column("meaning_en", sa.String(length=500), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "state in ('ready', 'sending', 'accepted', 'presumed_accepted', 'held', 'retry', 'in_doubt', 'correctable', 'final', 'withdrawn')",
            name="claim_state",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("environment", "hcode", "kind", "vn", "item", name="uq_claim_key"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        if_not_exists=True,
    )
    op.create_index("ix_claim_day", "claim", ["hcode", "service_date"], unique=False, if_not_exists=True)
    op.create_index(
        "ix_claim_due", "claim", ["environment", "hcode", "state", "service_date"], unique=False, if_not_exists=True
    )
    op.create_index("ix_claim_person", "claim", ["pid", "kind"], unique=False, if_not_exists=True)
    op.create_index("ix_claim_transaction_uid", "claim", ["transaction_uid"], unique=False, if_not_exists=True)

    op.create_table(
        "issue",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("environment", sa.String(length=10), nullable=False),
        sa.Column("hcode", sa.String(length=5), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("vn", sa.String(length=32), nullable=False),
        sa.Column("item", sa.String(length=32), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("hn", sa.String(length=32), nullable=False),
        sa.Column("service_date", sa.Date(), nullable=False),
        sa.Column("field", sa.String(length=60), nullable=False),
        sa.Column("message_th", sa.Text(), nullable=False),
        sa.Column("message_en", sa.Text(), nullable=False),
        sa.Column("first_run_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("first_seen_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("resolved_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["first_run_id"],
            ["run.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("environment", "hcode", "kind", "vn", "item", "rule", "field", name="uq_issue_key"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        if_not_exists=True,
    )
    op.create_index("ix_issue_day", "issue", ["environment", "hcode", "service_date"], unique=False, if_not_exists=True)

    op.create_table(
        "submission",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("claim_id", Id, nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("call", sa.String(length=12), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("sent_at", Instant(), nullable=False),
        sa.Column("answered_at", Instant(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("payload_hash", sa.String(length=64), nullable=False),
        sa.Column("request", LongText, nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("response", LongText, nullable=True),
        sa.Column("failure", sa.String(length=80), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("transaction_uid", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["claim.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        if_not_exists=True,
    )
    op.create_index("ix_submission_claim_id", "submission", ["claim_id"], unique=False, if_not_exists=True)
    op.create_index("ix_submission_run_id", "submission", ["run_id"], unique=False, if_not_exists=True)
