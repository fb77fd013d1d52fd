"""Verification of the audit: every run's chain of exchanges, then every claim's history, up to the first mismatch."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, bindparam, select

from core.clock import BANGKOK
from core.errors import ConfigurationError
from core.messages import Message
from load.chain import ChainEnd, beginning, link, text_hash
from load.states import Cause, State, transitions
from load.tables import claim, claim_history, facility_lock, run, submission
from load.transactions import BATCH, transaction

CHANGED = Message("เนื้อหาถูกแก้ไขหลังบันทึก", "its content was changed after it was written")
MISSING = Message("แถวก่อนหน้านี้หายไป", "rows before it are missing")
OUT_OF_ORDER = Message(
    "ไม่ต่อจากแถวก่อนหน้า แถวใดแถวหนึ่งถูกแทรก สลับ หรือเขียนทับ",
    "it does not follow the row before it: one of the two was inserted, exchanged or replaced",
)
ADDED = Message("ถูกเพิ่มต่อท้ายหลังจบการทำงาน", "it was added behind the end of the run's chain")
END = Message(
    "ท้ายสายโซ่ไม่ตรงกับที่การทำงานบันทึกไว้ (บันทึก {said} พบ {found}) แถวท้ายอาจถูกลบ",
    "the chain does not end as the run wrote down (it wrote {said}, {found} are there): rows may be cut off, or the "
    "run's own row was changed",
)
CLAIM_GONE = Message("รายการเบิกของแถวนี้หายไป", "the claim it is of is missing")
STEP = Message("ประวัติสถานะไม่ต่อเนื่องหรือผิดกติกา", "a step of its history does not follow the one before, or cannot be")
STATE = Message("สถานะไม่ตรงกับประวัติ", "its state is not the one its history ends with")
UNPROVEN = Message(
    "บันทึกว่ารับแล้ว แต่ไม่มีคำตอบที่ให้เลขธุรกรรมนี้",
    "it stands as accepted, but no answer gives it that transaction number",
)

_NO_RUN = Message(
    "ไม่พบ run {run} ในสภาพแวดล้อม {environment}",
    "There is no run {run} in the environment {environment}.",
)
# The rows hold request and answer bodies: so many rows are in memory at once.
_ROWS_AT_ONCE = 200
_TRANSITIONS = frozenset(transitions())
_EXCHANGES: Select[Any] = (
    select(submission, claim.c.id.label("claim_there"), claim.c.kind, claim.c.vn, claim.c.item)
    .outerjoin(claim, claim.c.id == submission.c.claim_id)
    .where(submission.c.run_id == bindparam("of_run"))
    .order_by(submission.c.number, submission.c.id)
    .execution_options(yield_per=_ROWS_AT_ONCE)
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first thing that is wrong.

    Args:
        what: What is wrong, one of the sentences of this module.
        run_id: The run of the exchange or the change of state, where it is known.
        number: The exchange's place in the run's chain, from 1.
        kind: The claim's kind.
        vn: The claim's visit number.
        item: The claim's vaccine code, or empty.
        at: When the exchange was sent, or the state changed.
    """

    what: Message
    run_id: str | None = None
    number: int | None = None
    kind: str | None = None
    vn: str | None = None
    item: str | None = None
    at: datetime | None = None

    @property
    def place(self) -> Message:
        """Where it is: run, exchange, claim and time, each if there is one."""
        at = self.at and f"{self.at.astimezone(BANGKOK):%Y-%m-%d %H:%M:%S}"
        of_claim = self.vn and " ".join(filter(None, [self.kind, self.item, "VN", self.vn]))
        parts = (
            (self.run_id, "run {}", "run {}"),
            (self.number, "แถวที่ {}", "exchange {}"),
            (of_claim, "รายการ {}", "claim {}"),
            (at, "เวลา {}", "of {}"),
        )
        there = [(th.format(value), en.format(value)) for value, th, en in parts if value]
        return Message(" ".join(th for th, _ in there), ", ".join(en for _, en in there))


@dataclass(slots=True)
class VerificationResult:
    """What was verified, up to the first mismatch.

    Args:
        runs: Runs whose chain is right.
        exchanges: Exchanges that are right.
        claims: Claims whose history is right; 0 when only some runs were verified.
        mismatch: The first thing that is wrong; None when all is right.
    """

    runs: int = 0
    exchanges: int = 0
    claims: int = 0
    mismatch: Mismatch | None = None


def verify(engine: Engine, environment: str, run_id: str = "") -> VerificationResult:
    """Verify the audit of an environment, with all its facilities; reads in portions of bounded size.

    Args:
        engine: The audit database, migrated.
        environment: sandbox, uat or prd.
        run_id: Only the chains of runs whose id begins with this; empty: all runs, and all claims.

    Raises:
        ConfigurationError: No run's id begins with it.
        AuditError: The audit cannot be read.
    """
    result = VerificationResult()
    with _snapshot(engine) as connection:
        result.mismatch = next(_mismatches(connection, environment, run_id, result), None)
    return result


def _snapshot(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that sees all tables at one moment, whatever a run writes meanwhile."""
    if engine.dialect.name != "sqlite":  # its transactions do that anyway
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    return transaction(engine, reading=True)


def _mismatches(
    connection: Connection, environment: str, run_id: str, result: VerificationResult
) -> Iterator[Mismatch]:
    query = select(run.c.id, run.c.exchanges, run.c.chain_hash).where(run.c.environment == environment)
    runs = [r for r in connection.execute(query.order_by(run.c.started_at, run.c.id)) if r.id.startswith(run_id)]
    if run_id and not runs:
        raise ConfigurationError(_NO_RUN.fill(run=run_id, environment=environment))
    under_way = set(connection.scalars(select(facility_lock.c.run_id)))
    for of_run in runs:
        yield from _mismatches_of_run(connection, of_run, of_run.id in under_way, result)
        result.runs += 1
    if not run_id:
        yield from _mismatches_of_claims(connection, environment, result)


def _mismatches_of_run(
    connection: Connection, of_run: Any, under_way: bool, result: VerificationResult
) -> Iterator[Mismatch]:
    end = None if of_run.exchanges is None else ChainEnd(of_run.exchanges, of_run.chain_hash)
    last = beginning(of_run.id)
    row = None
    with connection.execute(_EXCHANGES, {"of_run": of_run.id}) as rows:
        for row in rows:
            if what := ADDED if last == end else _fault_of(row, last):
                yield _mismatch_at(what, row)
            last = ChainEnd(row.number, row.hash)
            result.exchanges += 1
    # A run that is under way, or died and was not closed by another yet, has not recorded the end of its chain.
    if last != (end or (last if under_way else beginning(of_run.id))):
        what = END.fill(said=of_run.exchanges or 0, found=last.number)
        yield _mismatch_at(what, row) if row else Mismatch(what, of_run.id)


def _fault_of(row: Any, last: ChainEnd) -> Message | None:
    """What is wrong with an exchange that follows this end of the chain; None if nothing is."""
    if row.number > last.number + 1:
        return MISSING
    if row.number <= last.number or row.previous_hash != last.hash:
        return OUT_OF_ORDER
    texts_fit = row.erased_by or not row.text_hash or text_hash(row.request, row.response, row.message) == row.text_hash
    if not texts_fit or link(row._mapping) != row.hash:
        return CHANGED
    return None if row.claim_there else CLAIM_GONE


def _mismatch_at(what: Message, row: Any) -> Mismatch:
    return Mismatch(what, row.run_id, row.number, row.kind, row.vn, row.item, row.sent_at)


def _mismatches_of_claims(connection: Connection, environment: str, result: VerificationResult) -> Iterator[Mismatch]:
    c, h, s = claim.c, claim_history.c, submission.c
    claims = select(c.id, c.kind, c.vn, c.item, c.state, c.transaction_uid, c.changed_by, c.updated_at)
    claims = claims.where(c.environment == environment).order_by(c.id).limit(BATCH)
    history = select(h.claim_id, h.before, h.after, h.cause, h.run_id, h.at).order_by(h.id)
    numbered = select(s.claim_id, s.transaction_uid).where(s.transaction_uid.is_not(None))
    after = 0
    while some := connection.execute(claims.where(c.id > after)).all():
        after = some[-1].id
        ids = [row.id for row in some]
        steps = _by_claim(connection, history.where(h.claim_id.in_(ids)))
        answers = _by_claim(connection, numbered.where(s.claim_id.in_(ids)))
        for row in some:
            yield from _mismatches_of_claim(row, steps[row.id], {a.transaction_uid for a in answers[row.id]})
            result.claims += 1


def _by_claim(connection: Connection, query: Select[Any]) -> defaultdict[int, list[Any]]:
    rows: defaultdict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        rows[row.claim_id].append(row)
    return rows


def _mismatches_of_claim(row: Any, steps: Sequence[Any], uids: set[str]) -> Iterator[Mismatch]:
    key = {"kind": row.kind, "vn": row.vn, "item": row.item}
    state = None
    for step in steps:
        if step.before != state or not _is_possible(step):
            yield Mismatch(STEP, step.run_id, at=step.at, **key)
        state = step.after
    if state != row.state:
        yield Mismatch(STATE, row.changed_by, at=row.updated_at, **key)
    if state == State.ACCEPTED and steps[-1].cause != Cause.PERSON and row.transaction_uid not in uids:
        yield Mismatch(UNPROVEN, row.changed_by, at=row.updated_at, **key)


def _is_possible(step: Any) -> bool:
    # Claims registered before histories were kept have one that begins with their state at that time.
    begins = step.before is None and step.cause == Cause.FOUND and step.after in set(State)
    return begins or (step.before, step.after, step.cause) in _TRANSITIONS
