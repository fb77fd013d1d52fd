"""Verification of claims against their evidence: their payloads, their history, and the answers to them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Select, select

from load.mismatch import (
    BODY_GONE,
    COLUMNS,
    NOT_AS_ANSWERED,
    PAYLOAD,
    STATE,
    STEP,
    UNPROVEN,
    Mismatch,
)
from load.outcomes import Outcome
from load.states import Cause, State, transitions
from load.tables import claim, claim_history, former_payload, submission
from load.transactions import BATCH
from transform.claim import payload_hash

_TRANSITIONS = frozenset(transitions())
# The outcomes of the last sending in a run that can lead to each state.
_OUTCOMES: Mapping[str, frozenset[Outcome]] = {
    State.ACCEPTED: frozenset({Outcome.ACCEPTED}),
    State.HELD: frozenset({Outcome.HELD}),
    State.CORRECTABLE: frozenset({Outcome.CORRECTABLE}),
    State.FINAL: frozenset({Outcome.FINAL}),
    State.PRESUMED_ACCEPTED: frozenset({Outcome.FINAL, Outcome.ACCEPTED}),
    State.RETRY: frozenset({Outcome.RETRY, Outcome.TOKEN_EXPIRED, Outcome.STOP}),
}
# What may become of a claim whose last answer took it, without a person.
_AFTER_ACCEPTANCE = (State.ACCEPTED, State.PRESUMED_ACCEPTED, State.IN_DOUBT, State.SENDING)


class Count(Protocol):
    """What counts the claims that fit."""

    claims: int


def mismatches_of_claims(connection: Connection, environment: str, count: Count) -> Iterator[Mismatch]:
    """Verify the claims of an environment; reads them in portions.

    Args:
        connection: A transaction that sees all tables at one moment.
        environment: sandbox, uat or prd.
        count: Its `claims` is raised for each that fits.
    """
    h, s, f = claim_history.c, submission.c, former_payload.c
    claims = select(claim).where(claim.c.environment == environment).order_by(claim.c.id).limit(BATCH)
    history = select(h.claim_id, h.before, h.after, h.cause, h.run_id, h.at).order_by(h.id)
    exchanges = select(s.claim_id, s.run_id, s.number, s.call, s.outcome, s.transaction_uid, s.payload_hash, s.sent_at)
    exchanges = exchanges.add_columns(s.request.is_(None).label("kept_with_claim"), s.erased_by).order_by(s.id)
    former = select(f.claim_id, f.payload_hash, f.payload, f.erased_by)
    after = 0
    while some := connection.execute(claims.where(claim.c.id > after)).all():
        after = some[-1].id
        ids = [row.id for row in some]
        steps = _by_claim(connection, history.where(h.claim_id.in_(ids)))
        answers = _by_claim(connection, exchanges.where(s.claim_id.in_(ids)))
        payloads = _by_claim(connection, former.where(f.claim_id.in_(ids)))
        for row in some:
            yield from _of_payloads(row, answers[row.id], payloads[row.id])
            yield from _of_history(row, steps[row.id])
            yield from _of_answers(row, steps[row.id], answers[row.id])
            count.claims += 1


def _by_claim(connection: Connection, query: Select[Any]) -> defaultdict[int, list[Any]]:
    rows: defaultdict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        rows[row.claim_id].append(row)
    return rows


def _key(row: Any) -> dict[str, Any]:
    return {"kind": row.kind, "vn": row.vn, "item": row.item}


def _of_payloads(row: Any, answers: Sequence[Any], former: Sequence[Any]) -> Iterator[Mismatch]:
    """Each payload has its hash, agrees with the columns, and each that was sent is there."""
    at: dict[str, Any] = {"run_id": row.changed_by, "at": row.updated_at, **_key(row)}
    there = [
        (row.payload, row.payload_hash, row.erased_by),
        *((f.payload, f.payload_hash, f.erased_by) for f in former),
    ]
    if not all(erased or (payload and payload_hash(payload.encode()) == said) for payload, said, erased in there):
        yield Mismatch(PAYLOAD, **at)
    if not row.erased_by and (names := _contradictions(row)):
        yield Mismatch(COLUMNS.fill(names=", ".join(names)), **at)
    hashes = {said for _, said, _ in there}
    for a in answers:
        if a.call == "submit" and a.kept_with_claim and not a.erased_by and a.payload_hash not in hashes:
            yield Mismatch(BODY_GONE, a.run_id, a.number, at=a.sent_at, **_key(row))


def _contradictions(row: Any) -> list[str]:
    """The columns that are not what the payload says."""
    try:
        payload = json.loads(row.payload)
    except ValueError:
        return ["payload"]
    says = {
        "pid": payload.get("pid"),
        "hn": payload.get("hn"),
        "vn": payload.get("seq"),
        "hcode": payload.get("hcode"),
        "service_date": str(payload.get("visit_date_time"))[:10],
    }
    if row.item:
        says["item"] = next((dose.get("code") for dose in payload.get("vaccine", ())), None)
    return [name for name, said in says.items() if str(row._mapping[name]) != said]


def _of_history(row: Any, steps: Sequence[Any]) -> Iterator[Mismatch]:
    """Each step follows the one before, and the last led to the claim's state."""
    state = None
    for step in steps:
        if step.before != state or not _is_possible(step):
            yield Mismatch(STEP, step.run_id, at=step.at, **_key(row))
        state = step.after
    if state != row.state:
        yield Mismatch(STATE, row.changed_by, at=row.updated_at, **_key(row))


def _is_possible(step: Any) -> bool:
    return _begins(step) or (step.before, step.after, step.cause) in _TRANSITIONS


def _begins(step: Any) -> bool:
    # Claims registered before histories were kept have one that begins with their state at that time.
    return step.before is None and step.cause == Cause.FOUND and step.after in set(State)


def _of_answers(row: Any, steps: Sequence[Any], answers: Sequence[Any]) -> Iterator[Mismatch]:
    """What an answer is said to have led to, an answer has led to; and what was accepted stays so unless a person says."""
    at: dict[str, Any] = {"run_id": row.changed_by, "at": row.updated_at, **_key(row)}
    uids = {a.transaction_uid for a in answers if a.transaction_uid}
    decided = any(step.cause == Cause.PERSON for step in steps)
    if row.state == State.ACCEPTED and steps[-1].cause != Cause.PERSON and row.transaction_uid not in uids:
        yield Mismatch(UNPROVEN, **at)
    for step in steps:
        if step.cause == Cause.NOT_TAKEN and not any(
            a.run_id == step.run_id and a.call == "eligibility" for a in answers
        ):
            yield Mismatch(NOT_AS_ANSWERED, step.run_id, at=step.at, **_key(row))
        if step.cause == Cause.ANSWERED and not _answered_so(step, [a for a in answers if a.run_id == step.run_id]):
            yield Mismatch(NOT_AS_ANSWERED, step.run_id, at=step.at, **_key(row))
    sendings = [a for a in answers if a.call == "submit"]
    was_accepted = bool(sendings) and sendings[-1].outcome == Outcome.ACCEPTED and steps[0].after == State.READY
    if was_accepted and not decided and row.state not in _AFTER_ACCEPTANCE:
        yield Mismatch(NOT_AS_ANSWERED, **at)


def _answered_so(step: Any, of_run: Sequence[Any]) -> bool:
    """Whether one of the run's exchanges about the claim can have led to the step."""
    if step.after == State.IN_DOUBT:  # any can leave a claim in doubt; and none, where a thread was left hanging
        return True
    possible = _OUTCOMES.get(step.after, frozenset())
    # An acceptance may be proved by the answer to a question, or presumed after it; else an answer to a sending counts.
    if step.after == State.ACCEPTED and any(a.call != "submit" for a in of_run):
        return True
    asked_too = step.after == State.PRESUMED_ACCEPTED
    return any(a.outcome in possible for a in of_run if asked_too or a.call == "submit")
