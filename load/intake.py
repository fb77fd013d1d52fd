"""The intake of claims: what the HIS or a workbook gives is compared with the ledger, and registered.

A claim of a workbook and the same claim of the HIS are one. What a person wrote in a workbook takes precedence over the
HIS: the HIS neither changes such a claim nor withdraws it. In two cases the HIS decides again: if MOPH Claim has refused
the claim for its data and the HIS gives data that was not refused yet, and if the claim was withdrawn. A claim
that was given up stays the workbook's: a person may still send it.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, bindparam, func, select, update

from core.clock import now
from load.claim_rows import Key, change_of_state, claims_of, new_row, rows_by_key
from load.gaps import last_gap
from load.outcomes import Outcome
from load.runs import Run
from load.states import ACCEPTED_STATES, CLOSED_STATES, NOT_ACCEPTED_STATES, Cause, State, check_transition
from load.tables import Origin, claim, issue, submission
from load.transactions import batches, in_transaction, within
from transform.after_acceptance import CODES as AFTER_ACCEPTANCE
from transform.after_acceptance import AcceptedClaim
from transform.claim import Claim, Kind


class ClaimIntake:
    """What a run registers of its facility's claims.

    Args:
        engine: The audit database, migrated.
        run: The run that holds the facility.
    """

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._mine = claims_of(run)

    def compare(self, claims: Sequence[Claim], *, origin: Origin = "his") -> list[tuple[str, State | None]]:
        """What registering would do with each of these claims (see `register`), and its state now; nothing is done."""
        compared = within(self._engine, lambda connection: self._compare(connection, claims, origin), reading=True)
        return [(change, row and State(row.state)) for _, row, change in compared]

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

    def accepted_on(self, day: date, kinds: Collection[Kind], claims: Sequence[Claim]) -> Iterator[AcceptedClaim]:
        """The accepted claims of a day that the HIS no longer gives as they were sent; payloads are read in portions.

        Includes claims whose visit was moved to this day after the claim was accepted, even if it has been moved away
        again since. Claims of workbooks are left out: the HIS cannot tell what was claimed there.

        Args:
            day: The service day.
            kinds: The kinds that were read.
            claims: All claims of that day and those kinds, as the HIS gives them.
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
    ) -> Counter[str]:
        """Register a day's claims: add new ones, update changed ones, withdraw those the HIS no longer gives.

        A claim accepted or refused for good is never changed. A correctable one whose payload has changed is ready
        again. A claim of the HIS that was certainly not accepted and is missing from `claims` is withdrawn. A workbook
        withdraws nothing; a claim that a workbook gives unchanged is the workbook's from then on.

        Args:
            day: The service day.
            kinds: The kinds that were read.
            claims: All claims of that day and those kinds; from a workbook, those it holds.
            records: The sheet rows of each claim as JSON, by its key.
            origin: Who gives them.

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
        for c, row, change in self._compare(connection, claims, origin):
            counts[change] += 1
            source = {"origin": origin, "record": records.get(c.key)}
            if change == "new":
                check_transition(Cause.FOUND, None, State.READY)
                new.append(new_row(c, self._run.environment, gap) | found | source)
            elif change == "changed":
                changed.append(_changed_row(c, row, self._run.id) | _as_new(source))
            elif _is_given_again(c, row, origin) and (source["record"] or origin != row.origin):
                given_again.append({"row_id": row.id} | _as_new(source | {"written_by": self._run.id}))
        for rows in batches(new):
            connection.execute(claim.insert(), rows)
        if changed:
            connection.execute(_CHANGE, changed)
        if given_again:
            connection.execute(_GIVEN_AGAIN, given_again)
        if origin == "his":
            counts["withdrawn"] = self._withdraw(connection, day, kinds, {c.key for c in claims})
        self._run.fence(connection)
        return +counts

    def _compare(self, connection: Connection, claims: Sequence[Claim], origin: Origin) -> list[tuple[Claim, Any, str]]:
        """Each claim, the ledger's row of it (or None), and what registering would do with it."""
        known = self._known(connection, claims)
        protected = self._protected_from_the_his(connection, claims, known) if origin == "his" else set()
        rows = ((c, known.get(c.key)) for c in claims)
        return [(c, row, _change(c, row, protected=c.key in protected)) for c, row in rows]

    def _known(self, connection: Connection, claims: Sequence[Claim]) -> dict[Key, Any]:
        columns = [claim.c.id, claim.c.state, claim.c.cause, claim.c.changed_by, claim.c.payload_hash]
        columns += [claim.c.sent_hash, claim.c.possibly_accepted, claim.c.pid, claim.c.hn, claim.c.service_date]
        columns.append(claim.c.erased_by)
        return rows_by_key(connection, self._run, {c.key for c in claims}, *columns, claim.c.origin)

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

    def _withdraw(self, connection: Connection, day: date, kinds: Collection[Kind], keys: Collection[Key]) -> int:
        columns = [claim.c.id, claim.c.hcode, claim.c.kind, claim.c.vn, claim.c.item]
        query = select(*columns).where(
            self._mine,
            claim.c.service_date == day,
            claim.c.kind.in_(kinds),
            claim.c.state.in_(NOT_ACCEPTED_STATES),
            claim.c.origin == "his",
            # Held or refused after an answer that was lost: only sending it again shows whether it was accepted.
            claim.c.possibly_accepted.is_(False),
            claim.c.erased_by.is_(None),
        )
        gone = [r.id for r in connection.execute(query) if (r.hcode, r.kind, r.vn, r.item) not in keys]
        change = change_of_state(self._run, State.WITHDRAWN, Cause.GONE, *NOT_ACCEPTED_STATES)
        for ids in batches(gone):
            withdraw = update(claim).where(claim.c.id.in_(ids))
            connection.execute(withdraw.values(change))
        return len(gone)


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
    )
)
_GIVEN_AGAIN = (
    update(claim)
    .where(claim.c.id == bindparam("row_id"))
    .values(
        origin=bindparam("new_origin"),
        record=func.coalesce(bindparam("new_record"), claim.c.record),
        written_by=bindparam("new_written_by"),
    )
)
# While it is unknown whether the bytes that were sent were accepted, they stay: sending the same again does no harm.
_FROZEN = (*CLOSED_STATES, State.SENDING, State.IN_DOUBT)
_OPEN_TO_THE_HIS = (State.CORRECTABLE, State.WITHDRAWN)


def _change(c: Claim, row: Any, *, protected: bool) -> str:
    if row is None:
        return "new"
    if State(row.state) in CLOSED_STATES or row.erased_by:
        return "settled"
    return "changed" if _is_changed(c, row) and not protected else "unchanged"


def _is_changed(c: Claim, row: Any) -> bool:
    if row.state in _FROZEN:
        return False
    # A claim that may have been accepted for one person must not be sent for another: it stays, for a person to check.
    if row.possibly_accepted and (row.pid, row.service_date) != (c.pid, c.service_date):
        return False
    return bool(row.payload_hash != c.payload_hash or row.state == State.WITHDRAWN)


def _is_given_again(c: Claim, row: Any, origin: Origin) -> bool:
    """Whether this origin gives the ledger's claim unchanged, and it is this origin's or may become so."""
    return (
        row.payload_hash == c.payload_hash
        and row.state not in _FROZEN
        and not row.erased_by
        and row.origin in ("his", origin)
    )


def _of_another_visit(c: Claim, row: Any) -> bool:
    if row.erased_by or row.state == State.WITHDRAWN or (row.pid, row.service_date) == (c.pid, c.service_date):
        return False
    return bool(row.state != State.CORRECTABLE or row.possibly_accepted or row.hn != c.hn)


def _changed_row(c: Claim, row: Any, run_id: str) -> dict[str, Any]:
    """The claim's new content, and its state with it."""
    before = after = State(row.state)
    cause = Cause(row.cause)
    if before is State.WITHDRAWN:
        after, cause = State.READY, Cause.FOUND
    elif before is State.CORRECTABLE and row.sent_hash != c.payload_hash:
        after, cause = State.READY, Cause.CHANGED
    check_transition(cause, before, after)
    return {
        "row_id": row.id,
        "new_state": after,
        "new_cause": cause,
        "new_changed_by": row.changed_by if after is before else run_id,
        "new_written_by": run_id,
        "new_updated_at": now(),
        "new_hn": c.hn,
        "new_pid": c.pid,
        "new_service_date": c.service_date,
        "new_baht": c.baht,
        "new_payload": c.payload.decode(),
        "new_payload_hash": c.payload_hash,
    }


def _as_new(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}
