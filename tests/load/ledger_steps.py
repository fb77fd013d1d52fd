"""Steps of a run with the ledger alone: what is due, sent and answered without a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from load_night import DAY, holding, rows
from sqlalchemy import Engine, update

from load.batch import Batch, SubmissionResult
from load.ledger import Ledger
from load.outcomes import Meaning, meanings
from load.queue import DueClaim
from load.runs import Run
from load.states import DUE, State
from load.tables import claim
from transform.claim import KINDS


@contextmanager
def ledger_of(engine: Engine, hcode: str) -> Iterator[Ledger]:
    with holding(engine, hcode=hcode) as run:
        yield Ledger(engine, run)


def meaning(state: State) -> Meaning:
    outcome = {State.PRESUMED_ACCEPTED: "final"}.get(state, str(state))
    return next(m for m in meanings() if m.outcome == outcome)


def due(ledger: Ledger, states: tuple[State, ...] = DUE) -> list[DueClaim]:
    return ledger.queue.due(states, KINDS, DAY - timedelta(30), DAY + timedelta(30), 1000)


def send_due(ledger: Ledger, state: State, uid: str | None = None, possibly_accepted: bool = False) -> list[int]:
    """Send what is due, with this outcome; the rows it concerned."""
    sent = due(ledger)
    ledger.writer.write(Batch(intents=sent))
    why = meaning(State.RETRY if state is State.IN_DOUBT else state)
    ledger.writer.write(
        Batch(results=[SubmissionResult(c.id, state, why, "said", uid, possibly_accepted) for c in sent])
    )
    return [c.id for c in sent]


def give_up(engine: Engine, run: Run, before: date) -> int:
    """As at the end of a run that has sent them all once more, and none has its closing code."""
    held = update(claim).where(claim.c.hcode == run.hcode, claim.c.state == State.HELD)
    with engine.begin() as connection:
        connection.execute(held.values(run_id=run.id))
    return Ledger(engine, run).writer.give_up(before)


def only(engine: Engine, hcode: str):
    (row,) = rows(engine, claim, hcode=hcode)
    return row
