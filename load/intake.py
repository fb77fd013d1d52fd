"""The intake of claims: what the HIS or a workbook gives is compared with the ledger, and registered.

A claim of a workbook and the same claim of the HIS are one. What a person wrote in a workbook takes precedence over the
HIS: the HIS neither changes such a claim nor withdraws it. In two cases the HIS decides again: if MOPH Claim has refused
the claim for its data and the HIS gives data that was not refused yet, and if the claim was withdrawn. A claim
that was given up stays the workbook's: a person may still send it.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, bindparam, func, select, update

from core.clock import now
from load.claim_rows import Key, change_of_state, claims_of, content, gives_way, new_row, rows_by_key
from load.gaps import last_gap
from load.outcomes import Outcome
from load.runs import Run
from load.states import ACCEPTED_STATES, CLOSED_STATES, NOT_ACCEPTED_STATES, SENDABLE, Cause, State, check_transition
from load.tables import Origin, claim, issue, submission
from load.transactions import batches, in_transaction, within
from transform.after_acceptance import CODES as AFTER_ACCEPTANCE
from transform.after_acceptance import AcceptedClaim
from transform.claim import Claim, Kind


@dataclass(frozen=True, slots=True)
class Plan:
    """What registering a day would do.

    Args:
        verdicts: For each claim: new, changed, unchanged or settled.
        states: For each claim the state it would be in.
        withdrawn: The keys of the claims that would be withdrawn.
        of_workbooks: The keys of those that would stay as a workbook gave them.
        waiting: The keys of those that would wait for their closing code.
    """

    verdicts: Sequence[str]
    states: Sequence[State]
    withdrawn: Collection[Key]
    of_workbooks: Collection[Key]
    waiting: Collection[Key]


class ClaimIntake:
    """What a run registers of its facility's claims.

    Attributes:
        otherwise: The claims that may have been accepted and of which the source says otherwise now, by key: as the source
            has each, or None if it no longer has it. They are only asked about.

    Args:
        engine: The audit database, migrated.
        run: The run that holds the facility.
    """

    def __init__(self, engine: Engine, run: Run) -> None:
        self.otherwise: dict[Key, Claim | None] = {}
        self._engine = engine
        self._run = run
        self._mine = claims_of(run)

    def plan(
        self,
        day: date,
        kinds: Collection[Kind],
        claims: Sequence[Claim],
        *,
        origin: Origin = "his",
        visits: Collection[str] | None = None,
    ) -> Plan:
        """What `register` would do, by the same arguments; nothing is written."""

        def read(connection: Connection) -> Plan:
            compared = self._compare(connection, claims, origin)
            self._note_otherwise(compared, origin)
            gone = self._gone(connection, day, kinds, {c.key for c in claims}, visits) if origin == "his" else {}
            after = [_after(c, row, change) for c, row, change in compared]
            waiting = {
                c.key for (c, row, _), moved in zip(compared, after, strict=True) if row and gives_way(row, *moved)
            }
            of_workbooks = {
                c.key
                for c, row, change in compared
                if origin == "his" and _is_a_workbooks(row) and change == "unchanged"
            }
            verdicts, states = [change for _, _, change in compared], [state for state, _ in after]
            return Plan(verdicts, states, gone.values(), of_workbooks, waiting)

        return within(self._engine, read, reading=True)

    def other_visits(self, claims: Sequence[Claim], *, origin: Origin | None = None) -> set[Key]:
        """The keys of these claims under which the ledger has a claim of another person or another day.

        Two visits were given the same number. A withdrawn claim does not count; nor does one of the same HN that MOPH
        Claim has refused, for that one is being corrected.

        Args:
            claims: The claims about to be registered.
            origin: Count only ledger claims of this origin.
        """
        known = within(self._engine, lambda connection: self._known(connection, claims), reading=True)
        rows = ((c, known.get(c.key)) for c in claims)
        return {c.key for c, row in rows if row and origin in (None, row.origin) and _of_another_visit(c, row)}

    def accepted_on(
        self, day: date, kinds: Collection[Kind], claims: Sequence[Claim], visits: Collection[str] | None = None
    ) -> Iterator[AcceptedClaim]:
        """The accepted claims of a day that the HIS no longer gives as they were sent; payloads are read in portions.

        Includes claims whose visit was moved to this day after the claim was accepted, even if it has been moved away
        again since. Claims of workbooks are left out: the HIS cannot tell what was claimed there.

        Args:
            day: The service day.
            kinds: The kinds that were read.
            claims: All claims of that day and those kinds, as the HIS gives them.
            visits: The visits that were read, where these are not all of the day.
        """
        given = {c.key: c for c in claims}
        named = (claim.c.hcode, claim.c.kind, claim.c.vn, claim.c.item)
        query = (
            select(claim.c.id, *named, claim.c.hn, claim.c.payload_hash)
            .where(self._mine, claim.c.kind.in_(kinds), claim.c.state.in_(ACCEPTED_STATES), claim.c.origin == "his")
            .where(claim.c.erased_by.is_(None))
        )
        of_day = query.where(claim.c.service_date == day)
        with_issue = query.join(issue, and_(*(c == issue.c[c.name] for c in (claim.c.environment, *named)))).where(
            issue.c.service_date == day, issue.c.rule.in_(AFTER_ACCEPTANCE), issue.c.resolved_at.is_(None)
        )

        def read(connection: Connection) -> dict[Key, Any]:
            def found(some: Select[Any]) -> dict[Key, Any]:
                return {(r.hcode, r.kind, r.vn, r.item): r for r in connection.execute(some)}

            rows = found(of_day) | found(with_issue)
            if visits is not None:
                rows = {key: r for key, r in rows.items() if r.vn in visits}
            for vns in batches(sorted({vn for _, _, vn, _ in given.keys() - rows.keys()})):
                rows |= {key: r for key, r in found(query.where(claim.c.vn.in_(vns))).items() if key in given}
            return rows

        rows = within(self._engine, read, reading=True)
        for r in (r for key, r in rows.items() if key not in given):
            yield AcceptedClaim(r.hcode, r.kind, r.vn, r.item, r.hn, b"", None)
        changed = [(r, c) for key, r in rows.items() if (c := given.get(key)) and c.payload_hash != r.payload_hash]
        for some in batches(changed):
            sent = self._payloads([r.id for r, _ in some])
            for r, c in some:
                yield AcceptedClaim(c.hcode, c.kind, c.vn, c.item, c.hn, sent[r.id], c)

    def _payloads(self, ids: Sequence[int]) -> dict[int, bytes]:
        query = select(claim.c.id, claim.c.payload).where(claim.c.id.in_(ids))
        rows = within(self._engine, lambda connection: connection.execute(query).all(), reading=True)
        return {row_id: payload.encode() for row_id, payload in rows}

    @in_transaction
    def register(
        self,
        connection: Connection,
        day: date,
        kinds: Collection[Kind],
        claims: Sequence[Claim],
        *,
        records: Mapping[Key, str] = {},
        origin: Origin = "his",
        visits: Collection[str] | None = None,
    ) -> Counter[str]:
        """Register a day's claims: add new ones, update changed ones, withdraw those the HIS no longer gives.

        A claim accepted or refused for good is never changed, but for one refused of which the source gives another person
        or day. A correctable one whose payload has changed is ready again. A claim of the HIS that was certainly not accepted
        and is missing from `claims` is withdrawn; one that may have been goes to `otherwise`. A workbook withdraws nothing; a
        claim that a workbook gives unchanged is the workbook's from then on.

        Args:
            day: The service day.
            kinds: The kinds that were read.
            claims: All claims of that day and those kinds; from a workbook, those it holds.
            records: The sheet rows of each claim as JSON, by its key.
            origin: Who gives them.
            visits: The visits that were read, where these are not all of the day.

        Returns:
            Counts of new, changed, unchanged (or the HIS may not change it), settled (accepted or refused for good) and
            withdrawn claims.
        """
        found = change_of_state(self._run, State.READY, Cause.FOUND)
        counts: Counter[str] = Counter()
        gap = last_gap(connection, self._run.environment, self._run.hcode)
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        given_again: list[dict[str, Any]] = []
        compared = self._compare(connection, claims, origin)
        for c, row, change in compared:
            counts[change] += 1
            source = {"origin": origin, "record": records.get(c.key), "read_by": self._run.id}
            if change == "new":
                check_transition(Cause.FOUND, None, State.READY)
                new.append(new_row(c, self._run.environment, gap) | found | source)
            elif change == "changed":
                changed.append(_changed_row(c, row, self._run.id) | _as_new(source))
            elif _is_given_again(c, row, origin):
                given_again.append({"row_id": row.id} | _as_new(source | {"baht": c.baht, "written_by": self._run.id}))
            elif _is_worth_something_now(c, row):
                connection.execute(
                    update(claim).where(claim.c.id == row.id).values(baht=c.baht, written_by=self._run.id)
                )
        for rows in batches(new):
            connection.execute(claim.insert(), rows)
        if changed:
            connection.execute(_CHANGE, changed)
        if given_again:
            connection.execute(_GIVEN_AGAIN, given_again)
        self._note_otherwise(compared, origin)
        if origin == "his":
            gone = self._gone(connection, day, kinds, {c.key for c in claims}, visits)
            self._withdraw(connection, list(gone))
            counts["withdrawn"] = len(gone)
        self._run.fence(connection)
        return +counts

    @in_transaction
    def set_aside(self, connection: Connection, keys: Collection[Key]) -> None:
        """Withdraw held claims in favour of others of the same persons that have what these wait for."""
        columns = [claim.c.id, claim.c.state, claim.c.cause, claim.c.tries, claim.c.possibly_accepted, claim.c.origin]
        rows = rows_by_key(connection, self._run, keys, *columns)
        held = [r.id for key, r in rows.items() if key in keys and gives_way(r, r.state, r.cause)]
        self._withdraw(connection, held)
        self._run.fence(connection)

    @in_transaction
    def confirm(self, connection: Connection, keys: Collection[Key]) -> None:
        """Count as accepted what is presumed so and the HIS shows with the same transaction number."""
        rows = rows_by_key(connection, self._run, keys, claim.c.id, claim.c.state)
        presumed = [r.id for key, r in rows.items() if key in keys and r.state == State.PRESUMED_ACCEPTED]
        change = change_of_state(self._run, State.ACCEPTED, Cause.STATUS, State.PRESUMED_ACCEPTED)
        for ids in batches(presumed):
            connection.execute(update(claim).where(claim.c.id.in_(ids)).values(change))
        self._run.fence(connection)

    def _compare(self, connection: Connection, claims: Sequence[Claim], origin: Origin) -> list[tuple[Claim, Any, str]]:
        """Each claim, the ledger's row of it (or None), and what registering would do with it."""
        known = self._known(connection, claims)
        protected = self._protected_from_the_his(connection, claims, known) if origin == "his" else set()
        rows = ((c, known.get(c.key)) for c in claims)
        return [(c, row, _change(c, row, protected=c.key in protected)) for c, row in rows]

    def _known(self, connection: Connection, claims: Sequence[Claim]) -> dict[Key, Any]:
        columns = [claim.c.id, claim.c.state, claim.c.cause, claim.c.changed_by, claim.c.payload_hash]
        columns += [claim.c.sent_hash, claim.c.possibly_accepted, claim.c.pid, claim.c.hn, claim.c.service_date]
        columns += [claim.c.erased_by, claim.c.origin, claim.c.baht, claim.c.tries]
        return rows_by_key(connection, self._run, {c.key for c in claims}, *columns)

    def _note_otherwise(self, compared: Sequence[tuple[Claim, Any, str]], origin: Origin) -> None:
        for c, row, change in compared:
            its_source = origin == "workbook" or not _is_a_workbooks(row)
            if its_source and change == "unchanged" and _is_otherwise(c, row):
                self.otherwise[c.key] = c

    def _protected_from_the_his(
        self, connection: Connection, claims: Sequence[Claim], known: Mapping[Key, Any]
    ) -> set[Key]:
        """The keys of the claims that stay as a workbook gave them, whatever the HIS gives (see the module)."""
        of_workbook = [(c, row) for c in claims if (row := known.get(c.key)) and row.origin == "workbook"]
        open_ = [(c, row) for c, row in of_workbook if row.state in _OPEN_TO_THE_HIS and not _of_another_visit(c, row)]
        refused: set[tuple[int, str]] = set()
        query = select(submission.c.claim_id, submission.c.payload_hash).where(
            submission.c.outcome == Outcome.CORRECTABLE
        )
        for ids in batches([row.id for _, row in open_]):
            of_these = connection.execute(query.where(submission.c.claim_id.in_(ids)))
            refused |= {(row_id, payload_hash) for row_id, payload_hash in of_these}
        # Data that was refused before the workbook corrected it would be refused again, and the correction be lost.
        taken_back = {
            c.key for c, row in open_ if row.state == State.WITHDRAWN or (row.id, c.payload_hash) not in refused
        }
        return {c.key for c, _ in of_workbook} - taken_back

    def _gone(
        self,
        connection: Connection,
        day: date,
        kinds: Collection[Kind],
        keys: Collection[Key],
        visits: Collection[str] | None,
    ) -> dict[int, Key]:
        """The claims of the HIS on a day that were certainly not accepted and that it no longer gives: key by row.

        Others that it no longer gives may have been accepted: these go to `otherwise`.
        """
        columns = [claim.c.id, claim.c.hcode, claim.c.kind, claim.c.vn, claim.c.item]
        query = select(*columns, claim.c.state, claim.c.possibly_accepted).where(
            self._mine,
            claim.c.service_date == day,
            claim.c.kind.in_(kinds),
            claim.c.state.in_(SENDABLE),
            claim.c.origin == "his",
            claim.c.erased_by.is_(None),
        )
        rows = {(r.hcode, r.kind, r.vn, r.item): r for r in connection.execute(query)}
        gone = {key: r for key, r in rows.items() if key not in keys and (visits is None or r.vn in visits)}
        sure = {r.id: key for key, r in gone.items() if r.state in NOT_ACCEPTED_STATES and not r.possibly_accepted}
        for key in gone.keys() - set(sure.values()):
            self.otherwise.setdefault(key, None)  # its visit may have been moved to another day, and been read there
        return sure

    def _withdraw(self, connection: Connection, gone: Sequence[int]) -> None:
        change = change_of_state(self._run, State.WITHDRAWN, Cause.GONE, *NOT_ACCEPTED_STATES)
        for ids in batches(gone):
            connection.execute(update(claim).where(claim.c.id.in_(ids)).values(change))


_CHANGE = (
    update(claim)
    .where(claim.c.id == bindparam("row_id"))
    .values(
        state=bindparam("new_state"),
        cause=bindparam("new_cause"),
        changed_by=bindparam("new_changed_by"),
        written_by=bindparam("new_written_by"),
        updated_at=bindparam("new_updated_at"),
        hn=bindparam("new_hn"),
        pid=bindparam("new_pid"),
        service_date=bindparam("new_service_date"),
        baht=bindparam("new_baht"),
        payload=bindparam("new_payload"),
        payload_hash=bindparam("new_payload_hash"),
        origin=bindparam("new_origin"),
        record=bindparam("new_record"),
        read_by=bindparam("new_read_by"),
    )
)
_GIVEN_AGAIN = (
    update(claim)
    .where(claim.c.id == bindparam("row_id"))
    .values(
        origin=bindparam("new_origin"),
        record=func.coalesce(bindparam("new_record"), claim.c.record),
        baht=bindparam("new_baht"),
        read_by=bindparam("new_read_by"),
        written_by=bindparam("new_written_by"),
    )
)
# While it is unknown whether the bytes that were sent were accepted, they stay: sending the same again does no harm.
_FROZEN = (*CLOSED_STATES, State.SENDING, State.IN_DOUBT)
_OPEN_TO_THE_HIS = (State.CORRECTABLE, State.WITHDRAWN)


def _change(c: Claim, row: Any, *, protected: bool) -> str:
    if row is None:
        return "new"
    if row.erased_by or (row.state in CLOSED_STATES and not _is_refused_otherwise(c, row)):
        return "settled"
    return "changed" if _is_changed(c, row) and not protected else "unchanged"


def _is_refused_otherwise(c: Claim, row: Any) -> bool:
    """Whether what was refused for good was another person or another day: this claim was never sent."""
    other = (row.pid, row.service_date) != (c.pid, c.service_date)
    return bool(row.state == State.FINAL and other and not row.possibly_accepted)


def _is_changed(c: Claim, row: Any) -> bool:
    if row.state in _FROZEN:
        return _is_refused_otherwise(c, row)
    # A claim that may have been accepted for one person must not be sent for another.
    if row.possibly_accepted and (row.pid, row.service_date) != (c.pid, c.service_date):
        return False
    return bool(row.payload_hash != c.payload_hash or row.state == State.WITHDRAWN)


def _is_otherwise(c: Claim, row: Any) -> bool:
    """Whether the source says otherwise now of a claim that may have been accepted as it was sent."""
    if row.state not in SENDABLE:
        return False
    if row.state == State.IN_DOUBT:
        return bool(row.payload_hash != c.payload_hash)
    return bool(row.possibly_accepted and (row.pid, row.service_date) != (c.pid, c.service_date))


def _is_given_again(c: Claim, row: Any, origin: Origin) -> bool:
    """Whether this origin gives the ledger's claim unchanged, and it is this origin's or may become so."""
    same = row.payload_hash == c.payload_hash and row.state in SENDABLE and not row.erased_by
    return same and (row.origin == origin or (row.origin == "his" and row.state != State.IN_DOUBT))


def _is_a_workbooks(row: Any) -> bool:
    return row is not None and row.origin == "workbook"


def _is_worth_something_now(c: Claim, row: Any) -> bool:
    """Whether the rate of a claim was not known when it was registered, and is now."""
    return row.payload_hash == c.payload_hash and not row.baht and c.baht > 0 and not row.erased_by


def _of_another_visit(c: Claim, row: Any) -> bool:
    if row.erased_by or row.state == State.WITHDRAWN or (row.pid, row.service_date) == (c.pid, c.service_date):
        return False
    refused = row.state in (State.CORRECTABLE, State.FINAL)
    return bool(not refused or row.possibly_accepted or row.hn != c.hn)


def _move(c: Claim, row: Any) -> tuple[State, Cause]:
    """The state of a changed claim, and the cause."""
    before = State(row.state)
    if before is State.WITHDRAWN:
        return State.READY, Cause.FOUND
    if before is State.FINAL or (before is State.CORRECTABLE and row.sent_hash != c.payload_hash):
        return State.READY, Cause.CHANGED
    return before, Cause(row.cause)


def _after(c: Claim, row: Any, change: str) -> tuple[State, Cause]:
    """The state in which registering leaves a claim, and the cause."""
    if change == "new":
        return State.READY, Cause.FOUND
    return _move(c, row) if change == "changed" else (State(row.state), Cause(row.cause))


def _changed_row(c: Claim, row: Any, run_id: str) -> dict[str, Any]:
    """The claim's new content, and its state with it."""
    before = State(row.state)
    after, cause = _move(c, row)
    check_transition(cause, before, after)
    return {
        "row_id": row.id,
        "new_state": after,
        "new_cause": cause,
        "new_changed_by": row.changed_by if after is before else run_id,
        "new_written_by": run_id,
        "new_updated_at": now(),
    } | _as_new(content(c))


def _as_new(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}
