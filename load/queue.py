"""Reading the ledger: the claims to send, the transactions to ask about, and what is known of a claim or a person."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, and_, case, exists, func, or_, select

from load.claim_rows import Key, claims_of, gives_way, rows_by_key
from load.runs import Run
from load.states import ACCEPTED_STATES, CLOSED_STATES, HISTORY_STATES, SENDABLE, UNANSWERED_STATES, State
from load.tables import Origin, claim, workbook_row
from load.transactions import batches, in_transaction, within
from transform.claim import Claim, Kind


@dataclass(frozen=True, slots=True)
class DueClaim:
    """A claim to send now.

    Args:
        id: Its row.
        kind: dm, ht, epi or dt.
        service: The API's service.
        item: The vaccine code, or empty.
        payload: The canonical JSON body; never shown by `repr`.
        payload_hash: SHA-256 of the payload, 64 hex digits.
        state: Its state when it was read.
        possibly_accepted: An earlier sending may have been accepted.
        only_ask: Its source says otherwise now: it is asked about, and not sent.
        replacement: If so, the claim as its source has it, to take its place if it was not accepted; None: nothing does.
    """

    id: int
    kind: Kind
    service: str
    item: str
    payload: bytes = field(repr=False)
    payload_hash: str
    state: State
    possibly_accepted: bool
    only_ask: bool = False
    replacement: Claim | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction whose status should be asked.

    Args:
        id: The claim's row.
        transaction_uid: The server's number.
        pid: The person's identity number; never shown by `repr`.
        payload_hash: SHA-256 of the payload that was sent.
        state: accepted or presumed_accepted.
    """

    id: int
    transaction_uid: str
    pid: str = field(repr=False)
    payload_hash: str
    state: State


@dataclass(frozen=True, slots=True)
class RegisteredClaim:
    """A claim as the ledger has it, for the report to the person whose workbook it is in.

    Args:
        claim_id: Its row.
        state: Its state.
        transaction_uid: The server's number, if it accepted the claim.
        message: The last message of the server, or of the person who settled the claim; never shown by `repr`.
        meaning_th: What the message means, in Thai.
        meaning_en: The same in English.
        baht: What the fund pays for it.
        origin: Who gave its payload.
        run_id: The run that sent it last; None if none did.
        changed_by: The run that changed its state last.
        pid: The person's identity number; never shown by `repr`.
        service_date: The day of the service.
        payload_hash: SHA-256 of its payload, 64 hex digits.
        hn: The patient's number at the facility; never shown by `repr`.
        possibly_accepted: An earlier sending may have been accepted.
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
    hn: str = field(repr=False)
    possibly_accepted: bool


_TO_SEND = (
    claim.c.id,
    claim.c.service,
    claim.c.payload,
    claim.c.payload_hash,
    claim.c.state,
    claim.c.possibly_accepted,
)


def _due_claim(row: Any) -> DueClaim:
    return DueClaim(
        row.id,
        row.kind,
        row.service,
        row.item,
        row.payload.encode(),
        row.payload_hash,
        State(row.state),
        bool(row.possibly_accepted),
    )


class ClaimQueue:
    """What a run reads of its facility's claims; it changes nothing.

    Args:
        engine: The audit database, migrated.
        run: The run that holds the facility.
    """

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._mine = claims_of(run)

    def count_due(
        self, states: Collection[State], kinds: Collection[Kind], first: date, last: date, **which: bool
    ) -> int:
        """How many claims are due; the arguments are those of `due`."""
        return sum(claims for claims, _ in self.due_by_kind(states, kinds, first, last, **which).values())

    @in_transaction
    def due_by_kind(
        self,
        connection: Connection,
        states: Collection[State],
        kinds: Collection[Kind],
        first: date,
        last: date,
        *,
        of_workbook: bool = False,
        read: bool = False,
    ) -> dict[tuple[Kind, State], tuple[int, int]]:
        """How many claims are due, and their baht, by kind and state; the arguments are those of `due`."""
        due = self._is_due(states, kinds, first, last, of_workbook=of_workbook, read=read)
        columns = [claim.c.kind, claim.c.state]
        query = select(*columns, func.count().label("claims"), func.sum(claim.c.baht).label("baht")).where(due)
        rows = connection.execute(query.group_by(*columns))
        return {(r.kind, State(r.state)): (int(r.claims), int(r.baht)) for r in rows}

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
        read: bool = False,
    ) -> list[DueClaim]:
        """The next claims to send: those tried least often first, and of these the oldest day first.

        Claims that MOPH Claim failed on come last, those tried most often at the end: a few that always fail cannot keep the
        others from being sent, night after night.

        Args:
            states: States that are due.
            kinds: Kinds to send.
            first: First service day.
            last: Last service day.
            limit: How many at most.
            of_workbook: Only claims of the workbook rows that this run has recorded.
            read: Of the HIS's claims only those that this run has read there, whatever their day: nothing goes as it was read
                at another time.
        """
        due = self._is_due(states, kinds, first, last, of_workbook=of_workbook, read=read)
        query = select(claim.c.kind, claim.c.item, *_TO_SEND).where(due)
        failed = case((claim.c.state.in_(UNANSWERED_STATES), 1), else_=0)
        order = (failed, claim.c.tries, claim.c.service_date, claim.c.id)
        return [_due_claim(r) for r in connection.execute(query.order_by(*order).limit(limit))]

    def to_ask(self, otherwise: Mapping[Key, Claim | None]) -> list[DueClaim]:
        """The claims to be asked about only, because their source says otherwise now.

        Args:
            otherwise: As `load.intake.ClaimIntake.otherwise`; those that this run has asked about already are left out.
        """

        def read(connection: Connection) -> dict[Key, Any]:
            return rows_by_key(connection, self._run, otherwise.keys(), *_TO_SEND, claim.c.run_id)

        rows = within(self._engine, read, reading=True)
        return [
            replace(_due_claim(r), only_ask=True, replacement=otherwise[key])
            for key, r in rows.items()
            if key in otherwise and r.state in SENDABLE and r.run_id != self._run.id
        ]

    def _is_due(
        self,
        states: Collection[State],
        kinds: Collection[Kind],
        first: date,
        last: date,
        *,
        of_workbook: bool,
        read: bool,
    ) -> ColumnElement[bool]:
        of_days = claim.c.service_date.between(first, last)
        read_now = claim.c.read_by == self._run.id
        due = and_(
            self._mine,
            claim.c.state.in_(states),
            claim.c.kind.in_(kinds),
            or_(read_now, and_(of_days, claim.c.origin == "workbook")) if read else of_days,
            claim.c.erased_by.is_(None),
            # Once a run: a claim that is still due after it was sent waits for the next run.
            or_(claim.c.run_id.is_(None), claim.c.run_id != self._run.id),
        )
        if not of_workbook:
            return due
        in_workbook = exists().where(workbook_row.c.run_id == self._run.id, workbook_row.c.claim_id == claim.c.id)
        return and_(due, in_workbook)

    @in_transaction
    def transactions_to_ask(
        self, connection: Connection, since: datetime, settled_statuses: Collection[str], after: int, limit: int
    ) -> list[Transaction]:
        """Transactions whose status should be asked: of claims presumed accepted, or accepted lately and still open.

        Args:
            since: Claims accepted before this moment are not asked about any more.
            settled_statuses: Statuses after which nothing more is expected.
            after: The last row asked about already; 0 to begin.
            limit: How many at most.
        """
        c = claim.c
        unsettled = or_(c.transaction_status.is_(None), c.transaction_status.not_in(settled_statuses))
        open_ = or_(unsettled, c.state != State.ACCEPTED)
        recent = or_(c.updated_at >= since, c.state != State.ACCEPTED)
        query = select(c.id, c.transaction_uid, c.pid, c.payload_hash, c.state).where(
            self._mine, c.state.in_(ACCEPTED_STATES), c.transaction_uid.is_not(None), open_, recent, c.id > after
        )
        rows = connection.execute(query.order_by(c.id).limit(limit))
        return [Transaction(r.id, r.transaction_uid, r.pid, r.payload_hash, State(r.state)) for r in rows]

    def history(self, pids: Collection[str], kinds: Collection[Kind]) -> pd.DataFrame:
        """The claims of these persons that were accepted, may have been, or are still to be sent.

        Args:
            pids: Identity numbers.
            kinds: Kinds of interest.

        Returns:
            Columns kind, pid, item, vn (text), service_date (datetime64), and yields: whether it waits for its closing code and
            was certainly not accepted, so that another claim of the person that has its code may take its place.
        """
        c = claim.c
        columns = [c.kind, c.pid, c.item, c.vn, c.service_date]
        standing = [c.state, c.cause, c.tries, c.possibly_accepted, c.origin]
        query = select(*columns, *standing).where(self._mine, c.kind.in_(kinds), c.state.in_(HISTORY_STATES))

        def read(connection: Connection) -> list[Any]:
            some = batches(sorted(pids))
            return [row for pids in some for row in connection.execute(query.where(c.pid.in_(pids)))]

        rows = within(self._engine, read, reading=True)
        known = [(*row[: len(columns)], gives_way(row, row.state, row.cause)) for row in rows]
        frame = pd.DataFrame(known, columns=[*(column.name for column in columns), "yields"])
        frame = frame.astype({"kind": "str", "pid": "str", "item": "str", "vn": "str", "yields": "bool"})
        frame["service_date"] = pd.to_datetime(frame["service_date"]).astype("datetime64[us]")
        return frame

    def find(self, keys: Collection[Key]) -> Mapping[Key, RegisteredClaim]:
        """The claims with these keys; those that are not in the ledger are left out."""
        c = claim.c
        columns = [c.id, c.state, c.transaction_uid, c.message, c.meaning_th, c.meaning_en, c.baht, c.origin, c.run_id]
        columns += [c.changed_by, c.pid, c.service_date, c.payload_hash, c.hn, c.possibly_accepted]
        rows = within(self._engine, lambda db: rows_by_key(db, self._run, keys, *columns), reading=True)
        return {
            key: RegisteredClaim(
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
                r.hn,
                bool(r.possibly_accepted),
            )
            for key in keys
            if (r := rows.get(key))
        }

    def is_uid_of_another_claim(self, transaction_uid: str, claim_id: int) -> bool:
        """Whether a transaction number is known to be another claim's."""
        return self._exists(claim.c.id != claim_id, claim.c.transaction_uid == transaction_uid)

    def may_be_uid_of_another_claim(self, transaction_uid: str, claim_id: int) -> bool:
        """Whether a transaction number is, or could be, another claim's.

        It could be where another claim of the same person and item is being sent, may have been accepted, or is presumed so
        under a number that is not known.
        """
        this = claim.alias()
        same = (claim.c[name] == this.c[name] for name in ("pid", "kind", "item"))
        open_ = or_(
            claim.c.state == State.SENDING,
            and_(claim.c.possibly_accepted, claim.c.state.not_in(CLOSED_STATES)),
            and_(claim.c.state == State.PRESUMED_ACCEPTED, claim.c.transaction_uid.is_(None)),
        )
        return self.is_uid_of_another_claim(transaction_uid, claim_id) or self._exists(
            claim.c.id != claim_id, this.c.id == claim_id, *same, open_
        )

    def _exists(self, *where: ColumnElement[bool]) -> bool:
        query = select(claim.c.id).where(self._mine, *where).limit(1)
        return within(self._engine, lambda connection: connection.scalar(query) is not None, reading=True)
