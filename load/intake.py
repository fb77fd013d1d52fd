"""The taking in of claims: what the HIS or a workbook gives, weighed against what stands in the ledger.

A claim of a workbook and the same claim of the HIS are one. What a person wrote in a workbook stands against the HIS:
the HIS neither changes such a claim nor takes it back. Two things give the word back to the HIS: MOPH Claim has refused
the claim for its data and the HIS gives what was not refused yet, or the claim was withdrawn. One given up stays the
workbook's: a person may still send it.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, bindparam, func, select, update

from core.clock import now
from load.database import batches, in_transaction, within
from load.outcomes import Outcome
from load.runs import Run
from load.states import ACCEPTED_STATES, NOT_ACCEPTED_STATES, SETTLED, Cause, State, check
from load.tables import Origin, claim, issue, submission
from transform.after_acceptance import CODES as AFTER_ACCEPTANCE
from transform.after_acceptance import AcceptedClaim
from transform.claim import Claim, Kind

Key = tuple[str, str, str, str]
"""What makes a claim one within an environment: hcode, kind, vn, item."""


class ClaimIntake:
    """The claims of one facility in one environment, in the hands of one run, as they are taken in.

    Args:
        engine: The audit database.
        run: The run that holds the facility.
    """

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._mine = and_(claim.c.environment == run.environment, claim.c.hcode == run.hcode)

    def _to(self, state: State, cause: Cause, *before: State) -> dict[str, Any]:
        """The columns of a change of state, which must be in the machine."""
        for b in before:
            check(cause, b, state)
        return {"state": state, "cause": cause, "changed_by": self._run.id, "updated_at": now()}

    def compare(self, claims: Sequence[Claim], *, origin: Origin = "his") -> list[tuple[str, State | None]]:
        """What registering these claims would make of each, and where it stands now; nothing is done."""
        weighed = within(self._engine, lambda connection: self._weighed(connection, claims, origin), reading=True)
        return [(verdict, row and State(row.state)) for _, row, verdict in weighed]

    def other_visits(self, claims: Sequence[Claim], *, origin: Origin | None = None) -> set[Key]:
        """The keys of these claims that stand in the ledger for another person or another day.

        Two visits were numbered alike. One that is withdrawn is in nobody's way; and one that MOPH Claim has refused, of
        the same patient's number (HN), is being corrected.

        Args:
            claims: What is about to be registered.
            origin: Only where the ledger's claim is of this origin.
        """
        known = within(self._engine, lambda connection: self._known(connection, claims), reading=True)
        rows = ((c, known.get(c.key)) for c in claims)
        return {c.key for c, row in rows if row and origin in (None, row.origin) and _of_another_visit(c, row)}

    def accepted_on(self, day: date, kinds: Collection[Kind], claims: Sequence[Claim]) -> Iterator[AcceptedClaim]:
        """What MOPH Claim has taken of a day and the HIS does not give as it was sent; payloads are read in portions.

        Claims of visits that were moved to the day since are among it, also once these are gone from there. Claims of
        workbooks are not: the HIS does not say what was claimed there.

        Args:
            day: The service day.
            kinds: The kinds that were looked for.
            claims: All claims of that day and those kinds, as the HIS gives them.
        """
        made = {c.key: c for c in claims}
        named = (claim.c.hcode, claim.c.kind, claim.c.vn, claim.c.item)
        query = select(claim.c.id, *named, claim.c.hn, claim.c.payload_hash).where(
            self._mine, claim.c.kind.in_(kinds), claim.c.state.in_(ACCEPTED_STATES), claim.c.origin == "his"
        )
        of_day = query.where(claim.c.service_date == day)
        noted = query.join(issue, and_(*(c == issue.c[c.name] for c in (claim.c.environment, *named)))).where(
            issue.c.service_date == day, issue.c.rule.in_(AFTER_ACCEPTANCE), issue.c.resolved_at.is_(None)
        )

        def read(connection: Connection) -> dict[Key, Any]:
            def found(some: Select[Any]) -> dict[Key, Any]:
                return {(r.hcode, r.kind, r.vn, r.item): r for r in connection.execute(some)}

            rows = found(of_day) | found(noted)
            for vns in batches(sorted({vn for _, _, vn, _ in made.keys() - rows.keys()})):
                rows |= {key: r for key, r in found(query.where(claim.c.vn.in_(vns))).items() if key in made}
            return rows

        rows = within(self._engine, read, reading=True)
        for r in (r for key, r in rows.items() if key not in made):
            yield AcceptedClaim(r.hcode, r.kind, r.vn, r.item, r.hn, b"", None)
        changed = [(r, c) for key, r in rows.items() if (c := made.get(key)) and c.payload_hash != r.payload_hash]
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
        """Take in a day's claims: new ones, changed ones, and those the HIS no longer gives.

        A claim accepted or refused for good is never touched. A correctable one whose payload has changed is ready
        again. One of the HIS that was certainly not taken and is not among these any more is withdrawn; a workbook
        withdraws nothing, and a claim that a workbook gives as it stands is the workbook's from then on.

        Args:
            day: The service day.
            kinds: The kinds that were looked for.
            claims: All claims of that day and those kinds; of a workbook, those it holds.
            records: The sheet rows that say the same, JSON, by the claim's key.
            origin: Who gives them.

        Returns:
            Counts of new, changed, unchanged (also: it stands against the HIS), settled, withdrawn.
        """
        found = self._to(State.READY, Cause.FOUND)
        counts: Counter[str] = Counter()
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        the_same: list[dict[str, Any]] = []
        for c, row, verdict in self._weighed(connection, claims, origin):
            counts[verdict] += 1
            given = {"origin": origin, "record": records.get(c.key)}
            if verdict == "new":
                check(Cause.FOUND, None, State.READY)
                new.append(_new_row(c, self._run.environment) | found | given)
            elif verdict == "changed":
                changed.append(_changed_row(c, row, self._run.id) | _as_new(given))
            elif _given_again(c, row, origin) and (given["record"] or origin != row.origin):
                the_same.append({"row_id": row.id} | _as_new(given))
        for rows in batches(new):
            connection.execute(claim.insert(), rows)
        if changed:
            connection.execute(_CHANGE, changed)
        if the_same:
            connection.execute(_GIVEN_AGAIN, the_same)
        if origin == "his":
            counts["withdrawn"] = self._withdraw(connection, day, kinds, {c.key for c in claims})
        self._run.fence(connection)
        return +counts

    def _weighed(self, connection: Connection, claims: Sequence[Claim], origin: Origin) -> list[tuple[Claim, Any, str]]:
        """Each claim, the ledger's row of it, and what is to be made of it."""
        known = self._known(connection, claims)
        stand = self._stand_against_the_his(connection, claims, known) if origin == "his" else set()
        rows = ((c, known.get(c.key)) for c in claims)
        return [(c, row, _verdict_on(c, row, stands=c.key in stand)) for c, row in rows]

    def _known(self, connection: Connection, claims: Sequence[Claim]) -> dict[Key, Any]:
        columns = [claim.c.id, claim.c.hcode, claim.c.kind, claim.c.vn, claim.c.item]
        columns += [claim.c.state, claim.c.cause, claim.c.changed_by, claim.c.payload_hash, claim.c.sent_hash]
        columns += [claim.c.possibly_accepted, claim.c.pid, claim.c.hn, claim.c.service_date, claim.c.origin]
        # The kinds are named for the index on the key.
        query = select(*columns).where(self._mine, claim.c.kind.in_({c.kind for c in claims}))
        rows: list[Any] = []
        for some in batches(sorted({c.vn for c in claims})):
            rows += connection.execute(query.where(claim.c.vn.in_(some))).all()
        return {(r.hcode, r.kind, r.vn, r.item): r for r in rows}

    def _stand_against_the_his(
        self, connection: Connection, claims: Sequence[Claim], known: Mapping[Key, Any]
    ) -> set[Key]:
        """Which of these stay as a workbook has them, whatever the HIS gives."""
        of_workbook = [(c, row) for c in claims if (row := known.get(c.key)) and row.origin == "workbook"]
        open_ = [
            (c, row) for c, row in of_workbook if row.state in _MENDED_IN_THE_HIS and not _of_another_visit(c, row)
        ]
        refused: set[tuple[int, str]] = set()
        query = select(submission.c.claim_id, submission.c.payload_hash).where(
            submission.c.outcome == Outcome.CORRECTABLE
        )
        for ids in batches([row.id for _, row in open_]):
            of_these = connection.execute(query.where(submission.c.claim_id.in_(ids)))
            refused |= {(row_id, payload_hash) for row_id, payload_hash in of_these}
        # What was refused before the workbook corrected it would only be refused again, and the correction be lost.
        mended = {c.key for c, row in open_ if row.state == State.WITHDRAWN or (row.id, c.payload_hash) not in refused}
        return {c.key for c, _ in of_workbook} - mended

    def _withdraw(self, connection: Connection, day: date, kinds: Collection[Kind], keys: Collection[Key]) -> int:
        columns = [claim.c.id, claim.c.hcode, claim.c.kind, claim.c.vn, claim.c.item]
        query = select(*columns).where(
            self._mine,
            claim.c.service_date == day,
            claim.c.kind.in_(kinds),
            claim.c.state.in_(NOT_ACCEPTED_STATES),
            claim.c.origin == "his",
            # Held or refused after an answer that was lost: only another sending tells.
            claim.c.possibly_accepted.is_(False),
        )
        gone = [r.id for r in connection.execute(query) if (r.hcode, r.kind, r.vn, r.item) not in keys]
        for ids in batches(gone):
            withdraw = update(claim).where(claim.c.id.in_(ids))
            connection.execute(withdraw.values(self._to(State.WITHDRAWN, Cause.GONE, *NOT_ACCEPTED_STATES)))
        return len(gone)


_CHANGE = (
    update(claim)
    .where(claim.c.id == bindparam("row_id"))
    .values(
        state=bindparam("new_state"),
        cause=bindparam("new_cause"),
        changed_by=bindparam("new_changed_by"),
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
    .values(origin=bindparam("new_origin"), record=func.coalesce(bindparam("new_record"), claim.c.record))
)
# While it is not known what became of the bytes that went out, they stay as they are: the same again can do no harm.
_FROZEN = (*SETTLED, State.SENDING, State.IN_DOUBT)
_MENDED_IN_THE_HIS = (State.CORRECTABLE, State.WITHDRAWN)


def _verdict_on(c: Claim, row: Any, *, stands: bool) -> str:
    if row is None:
        return "new"
    if State(row.state) in SETTLED:
        return "settled"
    return "changed" if _changed(c, row) and not stands else "unchanged"


def _changed(c: Claim, row: Any) -> bool:
    if row.state in _FROZEN:
        return False
    # What may have been taken of one person must not go for another: it stays as it was, and a person sees to it.
    if row.possibly_accepted and (row.pid, row.service_date) != (c.pid, c.service_date):
        return False
    return bool(row.payload_hash != c.payload_hash or row.state == State.WITHDRAWN)


def _given_again(c: Claim, row: Any, origin: Origin) -> bool:
    """Whether the ledger's claim says what this origin gives, and is its own or may become so."""
    return row.payload_hash == c.payload_hash and row.state not in _FROZEN and row.origin in ("his", origin)


def _of_another_visit(c: Claim, row: Any) -> bool:
    if row.state == State.WITHDRAWN or (row.pid, row.service_date) == (c.pid, c.service_date):
        return False
    return bool(row.state != State.CORRECTABLE or row.possibly_accepted or row.hn != c.hn)


def _changed_row(c: Claim, row: Any, run_id: str) -> dict[str, Any]:
    """The claim's new content, and where it stands with that."""
    before = after = State(row.state)
    cause = Cause(row.cause)
    if before is State.WITHDRAWN:
        after, cause = State.READY, Cause.FOUND
    elif before is State.CORRECTABLE and row.sent_hash != c.payload_hash:
        after, cause = State.READY, Cause.CHANGED
    check(cause, before, after)
    return {
        "row_id": row.id,
        "new_state": after,
        "new_cause": cause,
        "new_changed_by": row.changed_by if after is before else run_id,
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


def _new_row(c: Claim, environment: str) -> dict[str, Any]:
    return {
        "environment": environment,
        "hcode": c.hcode,
        "kind": c.kind,
        "vn": c.vn,
        "item": c.item,
        "hn": c.hn,
        "pid": c.pid,
        "service": c.service,
        "service_date": c.service_date,
        "baht": c.baht,
        "payload": c.payload.decode(),
        "payload_hash": c.payload_hash,
        "possibly_accepted": False,
        "tries": 0,
        "created_at": now(),
    }
