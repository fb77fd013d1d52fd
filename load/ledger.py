"""The ledger: one row a claim and its state. Every change of a claim's state is made here or, as it is taken in, in
`load.intake`; each as `load.states` allows.

The order that keeps a claim from going twice: a run holds its facility (`load.runs`), registers what it was given,
commits the intent of a claim before its first byte goes out, and its answer as soon as it has come. An intent is
fenced: it is committed only together with proof that the run still holds the facility. What is done here may be done
again where the database went away in mid-work: nothing is counted or written twice.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Update, and_, bindparam, case, exists, func, or_, select, update

from core.clock import BANGKOK, now
from core.messages import Message
from load.chain import ChainEnd, link
from load.database import batches, in_transaction, within
from load.intake import ClaimIntake, Key
from load.moph_claim import Exchange
from load.outcomes import Meaning
from load.states import ACCEPTED_STATES, SETTLED, STANDING, Cause, State
from load.tables import Origin, claim, submission, workbook_row
from load.tables import run as run_table
from transform.claim import Kind


@dataclass(frozen=True, slots=True)
class DueClaim:
    """A claim that should go now, as the ledger holds it.

    Args:
        id: Its row.
        kind: dm, ht, epi or dt.
        service: The API's service.
        item: The vaccine code, or empty.
        payload: The canonical JSON body; never shown by `repr`.
        state: Where it stood when it was read.
        possibly_accepted: An earlier sending may have been accepted.
    """

    id: int
    kind: Kind
    service: str
    item: str
    payload: bytes = field(repr=False)
    payload_hash: str
    state: State
    possibly_accepted: bool


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """One exchange of one claim, to be written down.

    Args:
        claim_id: The claim's row.
        chunk: The chunk's number in the run.
        attempt: The attempt's number within the run, from 1.
        payload_hash: What was sent.
        exchange: Request and answer.
    """

    claim_id: int
    chunk: int
    attempt: int
    payload_hash: str
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """Where a claim stands after its sending.

    Args:
        claim_id: The claim's row.
        state: The new state.
        meaning: Why.
        message: What the server said.
        transaction_uid: The server's number, if it took the claim.
        possibly_accepted: Whether it may have been accepted.
    """

    claim_id: int
    state: State
    meaning: Meaning
    message: str
    transaction_uid: str | None
    possibly_accepted: bool


@dataclass(frozen=True, slots=True)
class Transaction:
    """A claim whose transaction's status should be asked.

    Args:
        id: Its row.
        transaction_uid: The server's number.
        pid: Whose claim it is; never shown by `repr`.
        payload_hash: What was sent.
        state: accepted or presumed_accepted.
    """

    id: int
    transaction_uid: str
    pid: str = field(repr=False)
    payload_hash: str
    state: State


@dataclass(frozen=True, slots=True)
class Status:
    """What MOPH Claim says has become of a transaction.

    Args:
        claim_id: The claim's row.
        status: `data.status`, as it came; None where the answer held none.
        status_th: `data.status_th`, as it came.
        proves: The transaction is this claim's: one presumed accepted is accepted.
    """

    claim_id: int
    status: str | None
    status_th: str | None
    proves: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a claim stands, for whoever asked for it to be claimed.

    Args:
        claim_id: Its row.
        state: Where it stands.
        transaction_uid: The server's number, if it took the claim.
        message: What the server said last, or a person; never shown by `repr`.
        meaning_th: What that means.
        meaning_en: The same in English.
        baht: What the fund pays for it.
        origin: Who gave the payload it has.
        run_id: The run that sent it last; None where none has.
        changed_by: The run that brought it to its state.
        pid: Whose claim it is; never shown by `repr`.
        service_date: The day of the service.
        payload_hash: What it says.
    """

    claim_id: int
    state: State
    transaction_uid: str | None
    message: str | None = field(repr=False)
    meaning_th: str | None
    meaning_en: str | None
    baht: int
    origin: Origin
    run_id: str | None
    changed_by: str | None
    pid: str = field(repr=False)
    service_date: date
    payload_hash: str


class Ledger(ClaimIntake):
    """The claims of one facility in one environment, in the hands of one run.

    Args:
        engine: The audit database, migrated.
        run: The run that holds the facility.
    """

    @in_transaction
    def recover(self, connection: Connection) -> int:
        """What a dead run left in mid-sending is in doubt: it may have been taken.

        Only a run that holds the facility comes here, so no living run is sending these.

        Returns:
            The number of claims put in doubt.
        """
        left = update(claim).where(self._mine, claim.c.state == State.SENDING, claim.c.run_id != self._run.id)
        doubt = self._to(State.IN_DOUBT, Cause.RUN_DIED, State.SENDING)
        recovered = connection.execute(left.values(possibly_accepted=True, **doubt)).rowcount
        # Last, here and below: who waits for another's lock must not keep his own lease from being renewed meanwhile.
        self._run.fence(connection)
        return recovered

    @in_transaction
    def give_up(self, connection: Connection, before: date) -> int:
        """Claims of services before this day that still have no closing code are given up; returns how many.

        One that came of a workbook later than its service has as many days from then.
        """
        since = datetime.combine(before, time(), BANGKOK)
        waited = or_(claim.c.origin == "his", claim.c.created_at < since)
        held = update(claim).where(self._mine, claim.c.state == State.HELD, claim.c.service_date < before, waited)
        given_up = connection.execute(held.values(self._to(State.GIVEN_UP, Cause.WINDOW_OVER, State.HELD))).rowcount
        self._run.fence(connection)
        return given_up

    def history(self, pids: Collection[str], kinds: Collection[Kind]) -> pd.DataFrame:
        """The claims of these persons that were taken, may have been, or are about to go.

        Args:
            pids: Identity numbers.
            kinds: Kinds of interest.

        Returns:
            Columns kind, pid, vn (text) and service_date (datetime64).
        """
        columns = [claim.c.kind, claim.c.pid, claim.c.vn, claim.c.service_date]
        query = select(*columns).where(self._mine, claim.c.kind.in_(kinds), claim.c.state.in_(STANDING))

        def read(connection: Connection) -> list[Any]:
            some = batches(sorted(pids))
            return [row for pids in some for row in connection.execute(query.where(claim.c.pid.in_(pids)))]

        rows = within(self._engine, read, reading=True)
        frame = pd.DataFrame(rows, columns=[c.name for c in columns]).astype({"kind": "str", "pid": "str", "vn": "str"})
        frame["service_date"] = pd.to_datetime(frame["service_date"]).astype("datetime64[us]")
        return frame

    def standing(self, keys: Collection[Key]) -> Mapping[Key, Standing]:
        """Where claims stand; those that are not in the ledger are left out."""
        c = claim.c
        columns = [c.id, c.state, c.transaction_uid, c.message, c.meaning_th, c.meaning_en, c.baht, c.origin, c.run_id]
        columns += [c.changed_by, c.pid, c.service_date, c.payload_hash]
        query = select(c.hcode, c.kind, c.vn, c.item, *columns)
        query = query.where(self._mine, c.kind.in_({kind for _, kind, _, _ in keys}))

        def read(connection: Connection) -> list[Any]:
            some = batches(sorted({vn for _, _, vn, _ in keys}))
            return [row for vns in some for row in connection.execute(query.where(c.vn.in_(vns)))]

        rows = {(r.hcode, r.kind, r.vn, r.item): r for r in within(self._engine, read, reading=True)}
        return {
            key: Standing(
                r.id,
                State(r.state),
                r.transaction_uid,
                r.message,
                r.meaning_th,
                r.meaning_en,
                r.baht,
                r.origin,
                r.run_id,
                r.changed_by,
                r.pid,
                r.service_date,
                r.payload_hash,
            )
            for key in keys
            if (r := rows.get(key))
        }

    def _due(
        self, states: Collection[State], kinds: Collection[Kind], first: date, last: date, *, of_workbook: bool
    ) -> ColumnElement[bool]:
        due = and_(
            self._mine,
            claim.c.state.in_(states),
            claim.c.kind.in_(kinds),
            claim.c.service_date.between(first, last),
            # Once a run: what stays due after a sending waits for the next.
            or_(claim.c.run_id.is_(None), claim.c.run_id != self._run.id),
        )
        if not of_workbook:
            return due
        ours = exists().where(workbook_row.c.run_id == self._run.id, workbook_row.c.claim_id == claim.c.id)
        return and_(due, ours)

    @in_transaction
    def count_due(
        self,
        connection: Connection,
        states: Collection[State],
        kinds: Collection[Kind],
        first: date,
        last: date,
        *,
        of_workbook: bool = False,
    ) -> int:
        """How many claims of these days and kinds should go now; `of_workbook`: of those in the run's workbook."""
        due = self._due(states, kinds, first, last, of_workbook=of_workbook)
        return int(connection.execute(select(func.count()).select_from(claim).where(due)).scalar_one())

    @in_transaction
    def due(
        self,
        connection: Connection,
        states: Collection[State],
        kinds: Collection[Kind],
        first: date,
        last: date,
        limit: int,
        *,
        of_workbook: bool = False,
    ) -> list[DueClaim]:
        """The next claims that should go, at most `limit`: the oldest day first, but what was tried in vain behind the rest.

        So a few claims that the server always fails on cannot keep the others from going, night after night. With
        `of_workbook`: of those that stand in the rows of the workbook this run has noted.
        """
        columns = [claim.c.id, claim.c.kind, claim.c.service, claim.c.item, claim.c.payload, claim.c.payload_hash]
        columns += [claim.c.state, claim.c.possibly_accepted]
        query = select(*columns).where(self._due(states, kinds, first, last, of_workbook=of_workbook))
        rows = connection.execute(query.order_by(claim.c.tries, claim.c.service_date, claim.c.id).limit(limit))
        return [
            DueClaim(
                r.id,
                r.kind,
                r.service,
                r.item,
                r.payload.encode(),
                r.payload_hash,
                State(r.state),
                bool(r.possibly_accepted),
            )
            for r in rows
        ]

    def check_hold(self) -> None:
        """Make sure that no other run can have taken the facility over: `Run.check_hold`."""
        self._run.check_hold()

    def numbers_another(self, transaction_uid: str, claim_id: int) -> bool:
        """Whether a transaction number is known to be another claim's."""
        return self._is_there(claim.c.id != claim_id, claim.c.transaction_uid == transaction_uid)

    def may_number_another(self, transaction_uid: str, claim_id: int) -> bool:
        """Whether it is, or could be: of a claim of the same person and item that is as open as this one."""
        this = claim.alias()
        same = (claim.c[name] == this.c[name] for name in ("pid", "kind", "item"))
        open_ = or_(claim.c.state == State.SENDING, and_(claim.c.possibly_accepted, claim.c.state.not_in(SETTLED)))
        return self.numbers_another(transaction_uid, claim_id) or self._is_there(
            claim.c.id != claim_id, this.c.id == claim_id, *same, open_
        )

    def _is_there(self, *where: ColumnElement[bool]) -> bool:
        query = select(claim.c.id).where(self._mine, *where).limit(1)
        return within(self._engine, lambda connection: connection.scalar(query) is not None, reading=True)

    @in_transaction
    def to_ask(
        self, connection: Connection, since: datetime, settled: Collection[str], after: int, limit: int
    ) -> list[Transaction]:
        """Transactions whose status should be asked: accepted since then, or presumed so, and not settled.

        Args:
            since: Acceptances before this moment are not asked about any more.
            settled: Statuses after which nothing more is expected.
            after: The last row asked about already; 0 to begin.
            limit: How many at most.
        """
        c = claim.c
        open_ = or_(c.transaction_status.is_(None), c.transaction_status.not_in(settled), c.state != State.ACCEPTED)
        young = or_(c.updated_at >= since, c.state != State.ACCEPTED)
        query = select(c.id, c.transaction_uid, c.pid, c.payload_hash, c.state).where(
            self._mine, c.state.in_(ACCEPTED_STATES), c.transaction_uid.is_not(None), open_, young, c.id > after
        )
        rows = connection.execute(query.order_by(c.id).limit(limit))
        return [Transaction(r.id, r.transaction_uid, r.pid, r.payload_hash, State(r.state)) for r in rows]

    @in_transaction
    def settle(
        self, connection: Connection, ids: Sequence[int], state: State, *, transaction_uid: str | None, note: str
    ) -> int:
        """A person says where claims stand.

        Args:
            ids: Their rows; each is presumed accepted, correctable or given up.
            state: accepted, final or ready (to be sent again).
            transaction_uid: The server's number, where the person knows it.
            note: What the person says; kept in the claim's history.

        Returns:
            How many claims were changed.

        Raises:
            IllegalTransition: One of them stands where no person may move it.
        """
        mine = and_(self._mine, claim.c.id.in_(ids))
        before = {State(s) for s in connection.scalars(select(claim.c.state).where(mine))}
        said: dict[str, Any] = {"message": note, "meaning_th": _PERSON.th, "meaning_en": _PERSON.en}
        if transaction_uid:
            said["transaction_uid"] = transaction_uid
        if state is State.READY and before == {State.PRESUMED_ACCEPTED}:  # it was looked up: it was not taken
            said["possibly_accepted"] = False
        said |= self._to(state, Cause.PERSON, *before)
        settled = connection.execute(update(claim).where(mine).values(said)).rowcount
        self._run.fence(connection)
        return settled

    def write(
        self,
        *,
        intents: Sequence[DueClaim] = (),
        records: Sequence[SubmissionRecord] = (),
        verdicts: Sequence[SubmissionResult] = (),
        unsent: Sequence[DueClaim] = (),
        statuses: Sequence[Status] = (),
    ) -> Sequence[DueClaim]:
        """Commit, in one transaction, what has happened and what is about to.

        Args:
            intents: Claims about to be sent.
            records: Exchanges that took place.
            verdicts: Where claims stand after their sending; one comes too late once another run has sent the claim.
            unsent: Claims whose intent was committed and that were not sent after all.
            statuses: What became of transactions.

        Returns:
            The intents that were committed: what is not due any more is not among them.

        Raises:
            StopRun: The run has lost its facility: another may be sending.
            AuditError: The audit cannot be written; nothing may be sent.
        """
        chained, end = self._chain(records)
        tried = False

        def commit(connection: Connection) -> Sequence[DueClaim]:
            nonlocal tried
            # Where the answer to a commit was lost, what follows may be done twice without harm, but for the chain.
            if chained and not (tried and self._stands(connection, end.number)):
                connection.execute(submission.insert(), chained)
                self._end_of_chain(connection, end, fenced=bool(intents))
            tried = True
            self._note_verdicts(connection, verdicts)
            self._take_back(connection, unsent)
            if statuses:
                self._note_statuses(connection, statuses)
            if not intents:
                return ()
            self._run.fence(connection)
            return self._intend(connection, intents)

        going = within(self._engine, commit)
        self._run.chain = end
        return going

    def _end_of_chain(self, connection: Connection, end: ChainEnd, *, fenced: bool) -> None:
        """A run that was silent too long, and was closed by the next, may still bring answers: its end moves along."""
        if not fenced:
            closed = update(run_table).where(run_table.c.id == self._run.id, run_table.c.exchanges.is_not(None))
            connection.execute(closed.values(exchanges=end.number, chain_hash=end.hash))

    def _stands(self, connection: Connection, number: int) -> bool:
        mine = and_(submission.c.run_id == self._run.id, submission.c.number == number)
        return connection.scalar(select(submission.c.id).where(mine)) is not None

    def _intend(self, connection: Connection, intents: Sequence[DueClaim]) -> Sequence[DueClaim]:
        """Mark claims as about to be sent; gives those that are: one may have been answered late, and not be due any
        more."""
        before = {c.state for c in intents}
        these = claim.c.id.in_([c.id for c in intents])
        going = update(claim).where(these, claim.c.state.in_(before))
        going = going.values(self._to(State.SENDING, Cause.INTENT, *before))
        going = going.values(run_id=self._run.id, sent_hash=claim.c.payload_hash, tries=claim.c.tries + 1)
        if connection.execute(going).rowcount == len(intents):
            return intents
        ours = select(claim.c.id).where(these, claim.c.state == State.SENDING, claim.c.run_id == self._run.id)
        marked = set(connection.scalars(ours))
        return [c for c in intents if c.id in marked]

    def _note_statuses(self, connection: Connection, statuses: Sequence[Status]) -> None:
        rows = [
            {"row_id": s.claim_id, "new_status": s.status, "new_status_th": s.status_th, "at": now()} for s in statuses
        ]
        connection.execute(_STATUS, rows)
        if proved := [s.claim_id for s in statuses if s.proves]:
            presumed = update(claim).where(claim.c.id.in_(proved), claim.c.state == State.PRESUMED_ACCEPTED)
            connection.execute(presumed.values(self._to(State.ACCEPTED, Cause.STATUS, State.PRESUMED_ACCEPTED)))

    def _chain(self, records: Sequence[SubmissionRecord]) -> tuple[list[dict[str, Any]], ChainEnd]:
        """The rows of these exchanges, chained to what the run has written, and where the chain then ends."""
        end = self._run.chain
        rows = []
        for record in records:
            row = _submission_row(record, self._run.id) | {"number": end.number + 1, "previous_hash": end.hash}
            end = ChainEnd(end.number + 1, link(row))
            rows.append(row | {"hash": end.hash})
        return rows, end

    def _note_verdicts(self, connection: Connection, verdicts: Sequence[SubmissionResult]) -> None:
        """One statement for all that ended alike, as most do: a server is asked once, not once a claim."""
        alike: dict[tuple[State, Meaning, str, bool], list[SubmissionResult]] = defaultdict(list)
        for v in verdicts:
            alike[v.state, v.meaning, v.message, v.possibly_accepted].append(v)
        for (state, meaning, message, possibly_accepted), some in alike.items():
            numbers = {v.claim_id: v.transaction_uid for v in some if v.transaction_uid}
            number = case(numbers, value=claim.c.id, else_=claim.c.transaction_uid) if numbers else None
            connection.execute(
                self._sent_last_by_us(v.claim_id for v in some).values(
                    **self._to(state, Cause.ANSWERED, State.SENDING),
                    **({} if number is None else {"transaction_uid": number}),
                    message=message or None,
                    meaning_th=meaning.meaning.th,
                    meaning_en=meaning.meaning.en,
                    possibly_accepted=possibly_accepted,
                    # The other side was down, and took nothing: that was no try of this claim's.
                    tries=claim.c.tries - int(state is State.RETRY),
                )
            )

    def _take_back(self, connection: Connection, unsent: Sequence[DueClaim]) -> None:
        for state in {c.state for c in unsent}:
            some = self._sent_last_by_us(c.id for c in unsent if c.state is state)
            back = self._to(state, Cause.UNSENT, State.SENDING)
            connection.execute(some.where(claim.c.state == State.SENDING).values(**back, tries=claim.c.tries - 1))

    def _sent_last_by_us(self, ids: Iterable[int]) -> Update:
        """A run that was silent for longer than its lease may bring old news: they must not undo another run's."""
        under_way = claim.c.state.in_([State.SENDING, State.IN_DOUBT])
        return update(claim).where(claim.c.id.in_(list(ids)), claim.c.run_id == self._run.id, under_way)


_STATUS = (
    update(claim)
    .where(claim.c.id == bindparam("row_id"))
    .values(
        transaction_status=func.coalesce(bindparam("new_status"), claim.c.transaction_status),
        transaction_status_th=func.coalesce(bindparam("new_status_th"), claim.c.transaction_status_th),
        status_asked_at=bindparam("at"),
    )
)
_PERSON = Message("เจ้าหน้าที่ตรวจสอบแล้ว", "looked up and settled by a person")


def _submission_row(r: SubmissionRecord, run_id: str) -> dict[str, Any]:
    e = r.exchange
    return {
        "claim_id": r.claim_id,
        "run_id": run_id,
        "chunk": r.chunk,
        "attempt": r.attempt,
        "call": e.call,
        "path": e.path,
        "sent_at": e.sent_at,
        "answered_at": e.answered_at,
        "duration_ms": e.duration_ms,
        "payload_hash": r.payload_hash,
        "request": e.request.decode(),
        "http_status": e.http_status,
        "response": e.response,
        "failure": e.failure,
        "outcome": e.answer.outcome,
        "message": e.answer.message,
        "transaction_uid": e.answer.transaction_uid,
    }
