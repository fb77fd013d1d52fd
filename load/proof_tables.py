"""The tables that prove the others (see `load.tables`), and that keep what the others no longer hold."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from load.columns import MARIADB, Id, Instant, LongText, metadata

# Payloads that were sent and are no longer the claim's present one; written by a trigger on `claim`.
former_payload = Table(
    "former_payload",
    metadata,
    Column("claim_id", Id, ForeignKey("claim.id"), primary_key=True, autoincrement=False),
    Column("payload_hash", String(64), primary_key=True),
    Column("payload", LongText),
    Column("erased_by", String(36)),
    **MARIADB,
)

# A facility's chain of seals: each covers what one run has written (`load.seals`).
seal = Table(
    "seal",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("environment", String(10), nullable=False),
    Column("hcode", String(5), nullable=False),
    # Its place in the facility's chain, from 1; the hash covers its content and the previous seal's hash.
    Column("number", Integer, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    # Null: made by migration 0004 for what was there already.
    Column("run_id", String(36), ForeignKey("run.id"), index=True),
    Column("at", Instant, nullable=False),
    # What it covers, as JSON: the count and the hash of each part.
    Column("content", Text, nullable=False),
    UniqueConstraint("environment", "hcode", "number", name="uq_seal_place"),
    **MARIADB,
)

# The hash of each row of `claim` and `issue` as the run left it that a seal covers.
sealed_row = Table(
    "sealed_row",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("seal_id", Id, ForeignKey("seal.id"), nullable=False, index=True),
    Column("of_table", String(8), nullable=False),
    Column("row_id", Id, nullable=False),
    Column("row_hash", String(64), nullable=False),
    Index("ix_sealed_row_of_table_row_id", "of_table", "row_id"),
    **MARIADB,
)

# Each look at a body and each export: who, when, what; one chain an environment.
access = Table(
    "access",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("environment", String(10), nullable=False),
    Column("number", Integer, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    # The facility, or empty: any.
    Column("hcode", String(5), nullable=False),
    # The account on the machine that did it.
    Column("who", String(80), nullable=False),
    Column("action", String(40), nullable=False),
    # The visit, days, or file that it was about.
    Column("subject", String(255), nullable=False),
    Column("run_id", String(36)),
    UniqueConstraint("environment", "number", name="uq_access_place"),
    **MARIADB,
)
