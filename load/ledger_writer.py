"""Writing the ledger: intents, exchanges, results, statuses, and what a person decides.

The order that keeps a claim from being sent twice: the intent of a claim is committed before its first byte is sent,
and its answer as soon as it has come. An intent is committed only together with proof that the run still holds the
facility. A transaction may be done again where the database went away in the middle of it: nothing is counted or
written twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection, Engine, Update, and_, bindparam, case, func, or_, select, update

from core.clock import BANGKOK, now
from core.messages import Message
from load.batch import Batch, SubmissionRecord, SubmissionResult, TransactionStatus, doubt_numbers, is_acceptance
from load.chain import ChainEnd, link, text_hash
from load.claim_rows import change_of_state, claims_of, content
from load.outcomes import Meaning
from load.queue import DueClaim
from load.runs import Run
from load.seals import seal_run
from load.states import CLOSED_STATES, Cause, State
from load.tables import claim, submission
from load.tables import run as run_table
from load.transactions import in_transaction, within
from transform.claim import Claim, payload_hash


class _NumbersOfOthers(Exception):
    """Transaction numbers in a batch that the ledger has for other claims: nothing of the batch is written."""

    def __init__(self, numbers: set[str]) -> None:
        super().__init__()
        self.numbers = numbers


class LedgerWriter:
    """What a run writes about its facility's claims once they are registered.

    Args:
        engine: The audit database, migrated.
        run: The run that holds the facility.
    """

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._mine = claims_of(run)

    @in_transaction
    def recover(self, connection: Connection) -> int:
        """Put in doubt what a dead run was sending: it may have been accepted.

        Only a run that holds the facility comes here, so no living run is sending these.

        Returns:
            The number of claims put in doubt.
        """
        left = update(claim).where(self._mine, claim.c.state == State.SENDING, claim.c.run_id != self._run.id)
        doubt = change_of_state(self._run, State.IN_DOUBT, Cause.RUN_DIED, State.SENDING)
        recovered = connection.execute(left.values(possibly_accepted=True, **doubt)).rowcount
        # The fence comes last, here and below: it locks the lease's row, and a transaction that then waited for
        # another lock would keep the lease from being renewed meanwhile.
        self._run.fence(connection)
        return recovered

    @in_transaction
    def presume_sent(self, connection: Connection, until: date) -> int:
        """Count open claims of services up to this day as possibly accepted: the audit does not know what was sent.

        Returns:
            How many claims were changed.
        """
        open_ = and_(claim.c.state.not_in(CLOSED_STATES), claim.c.possibly_accepted.is_(False))
        lost = update(claim).where(self._mine, open_, claim.c.service_date <= until)
        presumed = connection.execute(lost.values(possibly_accepted=True, written_by=self._run.id)).rowcount
        self._run.fence(connection)
        return presumed

    @in_transaction
    def give_up(self, connection: Connection, before: date) -> int:
        """Give up claims of services before this day that this run has sent and that still have no closing code.

        A claim that a workbook brought later than its service has as many days from then.

        Returns:
            How many.
        """
        since = datetime.combine(before, time(), BANGKOK)
        waited = or_(claim.c.origin == "his", claim.c.created_at < since)
        tried = and_(claim.c.state == State.HELD, claim.c.run_id == self._run.id)
        held = update(claim).where(self._mine, tried, claim.c.service_date < before, waited)
        change = change_of_state(self._run, State.GIVEN_UP, Cause.WINDOW_OVER, State.HELD)
        given_up = connection.execute(held.values(change)).rowcount
        self._run.fence(connection)
        return given_up

    @in_transaction
    def settle(
        self, connection: Connection, ids: Sequence[int], state: State, *, transaction_uid: str | None, note: str
    ) -> int:
        """Record a person's decision about claims.

        Args:
            ids: Their rows; each in a state that a person may change to the new one.
            state: accepted, final, ready (to be sent again, as its source has it) or withdrawn (taken back).
            transaction_uid: The server's number, where the person knows it.
            note: The person's reason; kept in the claim's history.

        Returns:
            How many claims were changed.

        Raises:
            IllegalTransition: One of them is in a state that no person may change.
        """
        mine = and_(self._mine, claim.c.id.in_(ids))
        before = {State(s) for s in connection.scalars(select(claim.c.state).where(mine))}
        decision: dict[str, Any] = {"message": note, "meaning_th": _PERSON.th, "meaning_en": _PERSON.en}
        if transaction_uid:
            decision["transaction_uid"] = transaction_uid
        if state is State.READY and State.GIVEN_UP not in before:  # the person looked it up: not accepted
            decision["possibly_accepted"] = False
        decision |= change_of_state(self._run, state, Cause.PERSON, *before)
        settled = connection.execute(update(claim).where(mine).values(decision)).rowcount
        self._run.fence(connection)
        return settled

    def check_hold(self) -> None:
        """Make sure that no other run can have taken the facility over: `Run.check_hold`."""
        self._run.check_hold()

    def write(self, batch: Batch, *, wait_for_room: bool = True) -> Sequence[DueClaim]:
        """Commit, in one transaction, what has happened and what is about to.

        Args:
            batch: What to commit.
            wait_for_room: Wait while the disk is full, as for a database that is away; else raise at once.

        Returns:
            The intents that were committed; a claim that is not due any more is left out.

        Raises:
            StopRun: The run has lost its facility: another may be sending.
            AuditFull: The disk is full.
            AuditError: The audit cannot be written; nothing may be sent.
        """
        chained, end = self._chain(batch.records)
        tried = False

        def commit(connection: Connection) -> Sequence[DueClaim]:
            nonlocal tried
            self._refuse_numbers_of_others(connection, batch)
            # Where the answer to a commit was lost, all of this may be done twice without harm, but for the chain.
            if chained and not (tried and self._is_written(connection, end.number)):
                connection.execute(submission.insert(), chained)
            tried = True
            self._write_results(connection, batch.results)
            self._restore_unsent(connection, batch.unsent)
            if batch.statuses:
                self._write_statuses(connection, batch.statuses)
            if not batch.intents:
                self._seal_again(connection, end)
                return ()
            self._run.fence(connection)
            return self._write_intents(connection, batch.intents)

        try:
            committed = within(self._engine, commit, wait_for_room=wait_for_room)
        except _NumbersOfOthers as found:
            return self.write(doubt_numbers(batch, found.numbers), wait_for_room=wait_for_room)
        self._run.chain = end
        return committed

    def _chain(self, records: Sequence[SubmissionRecord]) -> tuple[list[dict[str, Any]], ChainEnd]:
        """The rows of these exchanges, chained to those the run has written, and the end of the chain after them."""
        end = self._run.chain
        rows = []
        for record in records:
            row = _submission_row(record, self._run.id) | {"number": end.number + 1, "previous_hash": end.hash}
            end = ChainEnd(end.number + 1, link(row))
            rows.append(row | {"hash": end.hash})
        return rows, end

    def _is_written(self, connection: Connection, number: int) -> bool:
        mine = and_(submission.c.run_id == self._run.id, submission.c.number == number)
        return connection.scalar(select(submission.c.id).where(mine)) is not None

    def _seal_again(self, connection: Connection, end: ChainEnd) -> None:
        """If the next run has closed this run already, and late answers have come, record the new end of its chain."""
        closed = update(run_table).where(run_table.c.id == self._run.id, run_table.c.exchanges.is_not(None))
        if connection.execute(closed.values(exchanges=end.number, chain_hash=end.hash)).rowcount:
            seal_run(connection, self._run.id)

    def _write_intents(self, connection: Connection, intents: Sequence[DueClaim]) -> Sequence[DueClaim]:
        """Mark claims as being sent, and return those marked: one that was answered late may not be due any more."""
        before = {c.state for c in intents}
        these = claim.c.id.in_([c.id for c in intents])
        marking = update(claim).where(these, claim.c.state.in_(before))
        marking = marking.values(change_of_state(self._run, State.SENDING, Cause.INTENT, *before))
        marking = marking.values(run_id=self._run.id, sent_hash=claim.c.payload_hash, tries=claim.c.tries + 1)
        if connection.execute(marking).rowcount == len(intents):
            return intents
        ours = select(claim.c.id).where(these, claim.c.state == State.SENDING, claim.c.run_id == self._run.id)
        marked = set(connection.scalars(ours))
        return [c for c in intents if c.id in marked]

    def _refuse_numbers_of_others(self, connection: Connection, batch: Batch) -> None:
        given = {r.transaction_uid: r.claim_id for r in batch.results}
        given |= {r.exchange.answer.transaction_uid: r.claim_id for r in batch.records if is_acceptance(r.exchange)}
        given.pop(None, None)
        if not given:
            return
        query = select(claim.c.transaction_uid, claim.c.id).where(self._mine, claim.c.transaction_uid.in_(given))
        if others := {number for number, owner in connection.execute(query) if owner != given.get(number)}:
            raise _NumbersOfOthers(others)

    def _write_results(self, connection: Connection, results: Sequence[SubmissionResult]) -> None:
        """Write results, those that are alike (most are) in one statement: the database is called once, not per claim."""
        alike: dict[tuple[State, Meaning, str, bool], list[SubmissionResult]] = defaultdict(list)
        for r in results:
            if r.asked and r.state in (State.READY, State.WITHDRAWN):
                self._write_not_taken(connection, r, r.asked.replacement)
            else:
                alike[r.state, r.meaning, r.message, r.possibly_accepted].append(r)
        for (state, meaning, message, possibly_accepted), some in alike.items():
            numbers = {r.claim_id: r.transaction_uid for r in some if r.transaction_uid}
            number = case(numbers, value=claim.c.id, else_=claim.c.transaction_uid) if numbers else None
            connection.execute(
                self._update_if_sent_last_by_us(r.claim_id for r in some).values(
                    **change_of_state(self._run, state, Cause.ANSWERED, State.SENDING),
                    **({} if number is None else {"transaction_uid": number}),
                    message=message or None,
                    meaning_th=meaning.meaning.th,
                    meaning_en=meaning.meaning.en,
                    possibly_accepted=possibly_accepted,
                )
            )

    def _write_not_taken(self, connection: Connection, r: SubmissionResult, replacement: Claim | None) -> None:
        """A claim that was asked about and not accepted: what its source says takes its place, and may go in this run."""
        said = {"message": None, "meaning_th": r.meaning.meaning.th, "meaning_en": r.meaning.meaning.en}
        now_given = content(replacement) | {"run_id": None, "read_by": self._run.id} if replacement else {}
        asked = self._update_if_sent_last_by_us([r.claim_id]).where(claim.c.state == State.SENDING)
        change = change_of_state(self._run, r.state, Cause.NOT_TAKEN, State.SENDING)
        connection.execute(asked.values(**change, **said, **now_given, possibly_accepted=r.possibly_accepted))

    def _restore_unsent(self, connection: Connection, unsent: Sequence[DueClaim]) -> None:
        for state in {c.state for c in unsent}:
            some = self._update_if_sent_last_by_us(c.id for c in unsent if c.state is state)
            back = change_of_state(self._run, state, Cause.UNSENT, State.SENDING)
            connection.execute(some.where(claim.c.state == State.SENDING).values(**back, tries=claim.c.tries - 1))

    def _update_if_sent_last_by_us(self, ids: Iterable[int]) -> Update:
        """A run whose lease expired must not overwrite a newer run's result."""
        under_way = claim.c.state.in_([State.SENDING, State.IN_DOUBT])
        return update(claim).where(claim.c.id.in_(list(ids)), claim.c.run_id == self._run.id, under_way)

    def _write_statuses(self, connection: Connection, statuses: Sequence[TransactionStatus]) -> None:
        rows = [
            {
                "row_id": s.claim_id,
                "new_status": s.status,
                "new_status_th": s.status_th,
                "at": now(),
                "run": self._run.id,
            }
            for s in statuses
        ]
        connection.execute(_STATUS, rows)
        if proved := [s.claim_id for s in statuses if s.proves]:
            presumed = update(claim).where(claim.c.id.in_(proved), claim.c.state == State.PRESUMED_ACCEPTED)
            change = change_of_state(self._run, State.ACCEPTED, Cause.STATUS, State.PRESUMED_ACCEPTED)
            connection.execute(presumed.values(change))


_STATUS = (
    update(claim)
    .where(claim.c.id == bindparam("row_id"))
    .values(
        transaction_status=func.coalesce(bindparam("new_status"), claim.c.transaction_status),
        transaction_status_th=func.coalesce(bindparam("new_status_th"), claim.c.transaction_status_th),
        status_asked_at=bindparam("at"),
        written_by=bindparam("run"),
    )
)
_PERSON = Message("เจ้าหน้าที่ตรวจสอบแล้ว", "looked up and settled by a person")


def _submission_row(r: SubmissionRecord, run_id: str) -> dict[str, Any]:
    e = r.exchange
    # A claim's payload is kept once, with the claim.
    request = None if payload_hash(e.request) == r.payload_hash else e.request.decode()
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
        "request": request,
        "http_status": e.http_status,
        "response": e.response,
        "failure": e.failure,
        "outcome": e.answer.outcome,
        "message": e.answer.message,
        "transaction_uid": e.answer.transaction_uid,
        "text_hash": text_hash(request, e.response, e.answer.message),
    }
