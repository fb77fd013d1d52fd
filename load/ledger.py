"""The ledger: one row a claim and its state. Every change of a claim's state is made here.

The order that keeps a claim from going twice: a run holds its facility (`load.runs`), registers what the HIS gives,
commits the intent of a claim before its first byte goes out, and its answer as soon as it has come. An intent is
fenced: it is committed only together with proof that the run still holds the facility.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, and_, bindparam, func, or_, select, update

from extract.clock import now
from load.database import batches, transaction
from load.moph_claim import Exchange
from load.outcomes import Meaning
from load.runs import Run
from load.states import SETTLED, STANDING, UNTAKEN, State
from load.tables import claim, submission
from transform.claim import Claim, Kind


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
        maybe_taken: An earlier sending may have been taken.
    """

    id: int
    kind: Kind
    service: str
    item: str
    payload: bytes = field(repr=False)
    payload_hash: str
    state: State
    maybe_taken: bool


@dataclass(frozen=True, slots=True)
class Record:
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
class Verdict:
    """Where a claim stands after its sending.

    Args:
        claim_id: The claim's row.
        state: The new state.
        meaning: Why.
        message: What the server said.
        transaction_uid: The server's number, if it took the claim.
        maybe_taken: Whether it may have been taken.
    """

    claim_id: int
    state: State
    meaning: Meaning
    message: str
    transaction_uid: str | None
    maybe_taken: bool


class Ledger:
    """The claims of one facility in one environment, in the hands of one run.

    Args:
        engine: The audit database, migrated.
        run: The run that holds the facility.
    """

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._mine = and_(claim.c.environment == run.environment, claim.c.hcode == run.hcode)

    def recover(self) -> int:
        """What a dead run left in mid-sending is in doubt: it may have been taken.

        Only a run that holds the facility comes here, so no living run is sending these.

        Returns:
            The number of claims put in doubt.
        """
        with transaction(self._engine) as connection:
            left = update(claim).where(self._mine, claim.c.state == State.SENDING, claim.c.run_id != self._run.id)
            return connection.execute(left.values(state=State.IN_DOUBT, maybe_taken=True, updated_at=now())).rowcount

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
        rows: list[Any] = []
        with transaction(self._engine) as connection:
            for some in batches(sorted(pids)):
                rows += connection.execute(query.where(claim.c.pid.in_(some))).all()
        frame = pd.DataFrame(rows, columns=[c.name for c in columns]).astype({"kind": "str", "pid": "str", "vn": "str"})
        frame["service_date"] = pd.to_datetime(frame["service_date"]).astype("datetime64[us]")
        return frame

    def compare(self, claims: Sequence[Claim]) -> list[tuple[str, State | None]]:
        """What registering these claims would make of each, and where it stands now; nothing is done."""
        with transaction(self._engine, reading=True) as connection:
            known = self._known(connection, claims)
        rows = [known.get(c.key) for c in claims]
        return [(_verdict_on(c, row), row and State(row.state)) for c, row in zip(claims, rows, strict=True)]

    def register(self, day: date, kinds: Collection[Kind], claims: Sequence[Claim]) -> Counter[str]:
        """Take in a day's claims: new ones, changed ones, and those the HIS no longer gives.

        A claim accepted or refused for good is never touched. A correctable one whose payload has changed is ready
        again. One that was certainly not taken and is not among these any more is withdrawn.

        Args:
            day: The service day.
            kinds: The kinds that were looked for.
            claims: All claims of that day and those kinds.

        Returns:
            Counts of new, changed, unchanged, settled, withdrawn.
        """
        moment = now()
        with transaction(self._engine) as connection:
            known = self._known(connection, claims)
            counts: Counter[str] = Counter()
            new: list[dict[str, Any]] = []
            changed: list[dict[str, Any]] = []
            for c in claims:
                row = known.get(c.key)
                counts[_verdict_on(c, row)] += 1
                if row is None:
                    new.append(_new_row(c, self._run.environment, moment))
                elif State(row.state) not in SETTLED and _changed(c, row):
                    changed.append(
                        {"row_id": row.id, "new_state": _state_when_changed(c, row), **_content(c), "at": moment}
                    )
            for rows in batches(new):
                connection.execute(claim.insert(), rows)
            if changed:
                connection.execute(_CHANGE, changed)
            counts["withdrawn"] = self._withdraw(connection, day, kinds, {c.key for c in claims}, moment)
        return +counts

    def _known(self, connection: Connection, claims: Sequence[Claim]) -> dict[tuple[str, ...], Any]:
        columns = [claim.c.id, claim.c.hcode, claim.c.kind, claim.c.vn, claim.c.item]
        columns += [claim.c.state, claim.c.payload_hash, claim.c.sent_hash]
        query = select(*columns).where(self._mine)
        rows: list[Any] = []
        for some in batches(sorted({c.vn for c in claims})):
            rows += connection.execute(query.where(claim.c.vn.in_(some))).all()
        return {(r.hcode, r.kind, r.vn, r.item): r for r in rows}

    def _withdraw(
        self,
        connection: Connection,
        day: date,
        kinds: Collection[Kind],
        keys: set[tuple[str, str, str, str]],
        at: datetime,
    ) -> int:
        columns = [claim.c.id, claim.c.hcode, claim.c.kind, claim.c.vn, claim.c.item]
        query = select(*columns).where(
            self._mine,
            claim.c.service_date == day,
            claim.c.kind.in_(kinds),
            claim.c.state.in_(UNTAKEN),
            # Held or refused after an answer that was lost: only another sending tells.
            claim.c.maybe_taken.is_(False),
        )
        gone = [r.id for r in connection.execute(query) if (r.hcode, r.kind, r.vn, r.item) not in keys]
        for ids in batches(gone):
            withdraw = update(claim).where(claim.c.id.in_(ids))
            connection.execute(withdraw.values(state=State.WITHDRAWN, updated_at=at))
        return len(gone)

    def _due(self, states: Collection[State], kinds: Collection[Kind], first: date, last: date) -> ColumnElement[bool]:
        return and_(
            self._mine,
            claim.c.state.in_(states),
            claim.c.kind.in_(kinds),
            claim.c.service_date.between(first, last),
            # Once a run: what stays due after a sending waits for the next.
            or_(claim.c.run_id.is_(None), claim.c.run_id != self._run.id),
        )

    def count_due(self, states: Collection[State], kinds: Collection[Kind], first: date, last: date) -> int:
        """How many claims of these days and kinds should go now."""
        with transaction(self._engine) as connection:
            query = select(func.count()).select_from(claim).where(self._due(states, kinds, first, last))
            return int(connection.execute(query).scalar_one())

    def due(
        self, states: Collection[State], kinds: Collection[Kind], first: date, last: date, limit: int
    ) -> list[DueClaim]:
        """The next claims that should go, oldest day first, at most `limit`."""
        columns = [claim.c.id, claim.c.kind, claim.c.service, claim.c.item, claim.c.payload, claim.c.payload_hash]
        columns += [claim.c.state, claim.c.maybe_taken]
        query = select(*columns).where(self._due(states, kinds, first, last))
        with transaction(self._engine) as connection:
            rows = connection.execute(query.order_by(claim.c.service_date, claim.c.id).limit(limit)).all()
        return [
            DueClaim(
                r.id, r.kind, r.service, r.item, r.payload.encode(), r.payload_hash, State(r.state), bool(r.maybe_taken)
            )
            for r in rows
        ]

    def numbers_another(self, transaction_uid: str, claim_id: int) -> bool:
        """Whether a transaction number is known to be another claim's."""
        query = select(func.count()).select_from(claim).where(self._mine, claim.c.id != claim_id)
        with transaction(self._engine, reading=True) as connection:
            return bool(connection.execute(query.where(claim.c.transaction_uid == transaction_uid)).scalar_one())

    def write(
        self,
        *,
        intents: Sequence[DueClaim] = (),
        records: Sequence[Record] = (),
        verdicts: Sequence[Verdict] = (),
        unsent: Sequence[DueClaim] = (),
    ) -> None:
        """Commit, in one transaction, what has happened and what is about to.

        Args:
            intents: Claims about to be sent.
            records: Exchanges that took place.
            verdicts: Where claims stand after their sending; one comes too late once another run has sent the claim.
            unsent: Claims whose intent was committed and that were not sent after all.

        Raises:
            StopRun: The run has lost its facility: another may be sending.
            AuditError: The audit cannot be written; nothing may be sent.
        """
        moment = now()
        with transaction(self._engine) as connection:
            if records:
                connection.execute(submission.insert(), [_submission_row(r, self._run.id) for r in records])
            if verdicts:
                connection.execute(_VERDICT, [_verdict_row(v, self._run.id, moment) for v in verdicts])
            if unsent:
                connection.execute(_UNSENT, [_unsent_row(c, self._run.id, moment) for c in unsent])
            if intents:
                self._run.fence(connection)
                intend = update(claim).where(claim.c.id.in_([c.id for c in intents]))
                connection.execute(
                    intend.values(
                        state=State.SENDING,
                        run_id=self._run.id,
                        sent_hash=claim.c.payload_hash,
                        tries=claim.c.tries + 1,
                        updated_at=moment,
                    )
                )


_CHANGE = (
    update(claim)
    .where(claim.c.id == bindparam("row_id"))
    .values(
        state=bindparam("new_state"),
        hn=bindparam("new_hn"),
        pid=bindparam("new_pid"),
        service_date=bindparam("new_service_date"),
        baht=bindparam("new_baht"),
        payload=bindparam("new_payload"),
        payload_hash=bindparam("new_payload_hash"),
        updated_at=bindparam("at"),
    )
)
# A run that was silent for longer than its lease may come back with old news: they must not undo another run's.
_SENT_LAST_BY_US = and_(claim.c.id == bindparam("row_id"), claim.c.run_id == bindparam("sent_by"))
_VERDICT = (
    update(claim)
    .where(_SENT_LAST_BY_US)
    .values(
        state=bindparam("new_state"),
        message=bindparam("said"),
        meaning_th=bindparam("th"),
        meaning_en=bindparam("en"),
        transaction_uid=func.coalesce(bindparam("uid"), claim.c.transaction_uid),
        maybe_taken=bindparam("taken"),
        updated_at=bindparam("at"),
    )
)
_UNSENT = (
    update(claim)
    .where(_SENT_LAST_BY_US, claim.c.state == State.SENDING)
    .values(state=bindparam("new_state"), tries=claim.c.tries - 1, updated_at=bindparam("at"))
)


def _changed(c: Claim, row: Any) -> bool:
    return bool(row.payload_hash != c.payload_hash or row.state == State.WITHDRAWN)


def _state_when_changed(c: Claim, row: Any) -> State:
    state = State(row.state)
    if state == State.WITHDRAWN or (state == State.CORRECTABLE and row.sent_hash != c.payload_hash):
        return State.READY
    return state


def _verdict_on(c: Claim, row: Any) -> str:
    if row is None:
        return "new"
    if State(row.state) in SETTLED:
        return "settled"
    return "changed" if _changed(c, row) else "unchanged"


def _content(c: Claim) -> dict[str, Any]:
    return {
        "new_hn": c.hn,
        "new_pid": c.pid,
        "new_service_date": c.service_date,
        "new_baht": c.baht,
        "new_payload": c.payload.decode(),
        "new_payload_hash": c.payload_hash,
    }


def _new_row(c: Claim, environment: str, moment: datetime) -> dict[str, Any]:
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
        "state": State.READY,
        "payload": c.payload.decode(),
        "payload_hash": c.payload_hash,
        "maybe_taken": False,
        "tries": 0,
        "created_at": moment,
        "updated_at": moment,
    }


def _submission_row(r: Record, run_id: str) -> dict[str, Any]:
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


def _unsent_row(c: DueClaim, run_id: str, moment: datetime) -> dict[str, Any]:
    return {"row_id": c.id, "sent_by": run_id, "new_state": c.state, "at": moment}


def _verdict_row(v: Verdict, run_id: str, moment: datetime) -> dict[str, Any]:
    return {
        "row_id": v.claim_id,
        "sent_by": run_id,
        "new_state": v.state,
        "said": v.message or None,
        "th": v.meaning.meaning.th,
        "en": v.meaning.meaning.en,
        "uid": v.transaction_uid,
        "taken": v.maybe_taken,
        "at": moment,
    }
