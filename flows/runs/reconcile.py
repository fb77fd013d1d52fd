"""Reconcile run without Prefect: it sends what earlier runs left, and asks what became of accepted claims.

It needs the audit and MOPH Claim alone: the hospital database is asked for the facility's code where none is configured.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine

from core.clock import now, today
from extract.hcode import resolve_hcode
from flows.parameters import OLDEST, ReconcileParameters
from flows.runs.claim_run import ClaimRun, Selection, open_run
from flows.settings.model import Settings
from load.database import audit_engine
from load.inquiry import Inquiry
from load.queue import Transaction
from load.runs import Run
from load.states import DUE, State
from transform.claim import KINDS

FLOW = "reconcile"


class ReconcileRun(ClaimRun):
    """A reconciling run. Made by `open_reconcile_run`.

    Attributes:
        given_up: Claims whose closing code did not come in time; of a dry run, those that would be given up.
        would_send: Claims a dry run would send, by state.
        would_ask: Transactions a dry run would ask about.
        inquiry: Asks about transactions, and counts.

    Args:
        settings: The settings in force.
        parameters: Those of the flow.
        engine: The audit database.
        audit_run: The run as the audit has it; it holds the facility.
    """

    def __init__(self, settings: Settings, parameters: ReconcileParameters, engine: Engine, audit_run: Run) -> None:
        super().__init__(settings, parameters, engine, audit_run, Selection(DUE, KINDS, OLDEST, today()))
        self.given_up = 0
        self.would_send: dict[State, int] = {}
        self.would_ask = 0
        self.inquiry = self.stack.enter_context(Inquiry(settings.api, self.ledger, self.tokens, parameters.concurrency))
        self._asks = parameters.ask_status and settings.reconcile.ask_status
        self._asked_up_to = 0
        self._held_since = today() - timedelta(days=settings.reconcile.held_days)
        self._accepted_since = now() - timedelta(days=settings.reconcile.status_days)

    def counts(self) -> dict[str, Any]:
        """What the audit keeps with the run when it ends."""
        inquiry = self.inquiry
        asked = {"asked": inquiry.asked, "answered": inquiry.answered, "proved": inquiry.proved}
        return super().counts() | {"given_up": self.given_up} | asked

    def plan(self) -> None:
        """Count what a run that is no dry run would do."""
        kinds, oldest, newest = self.selection.kinds, self.selection.first, self.selection.last

        def count(state: State, first: date, last: date) -> int:
            return self.ledger.queue.count_due([state], kinds, first, last)

        self.given_up = count(State.HELD, oldest, self._held_since - timedelta(days=1))
        self.would_send = {
            state: count(state, self._held_since if state is State.HELD else oldest, newest) for state in DUE
        }
        while some := self.next_transactions():
            self.would_ask += len(some)

    def give_up(self) -> None:
        """Give up the claims whose closing code did not come within the window."""
        self.given_up = self.ledger.writer.give_up(self._held_since)

    def next_transactions(self) -> list[Transaction]:
        """The next transactions to ask about; empty when all have been, or asking makes no sense."""
        if not self._asks or self.inquiry.trouble:
            return []
        settled, most = self.settings.reconcile.settled_statuses, self.parameters.chunk_size
        some = self.ledger.queue.transactions_to_ask(self._accepted_since, settled, self._asked_up_to, most)
        self._asked_up_to = some[-1].id if some else self._asked_up_to
        return some

    def ask(self, transactions: list[Transaction]) -> None:
        """Ask what has become of transactions, and write it down."""
        self.inquiry.ask(transactions)


@contextmanager
def open_reconcile_run(
    settings: Settings, parameters: ReconcileParameters, on_wait: Callable[[str], None]
) -> Iterator[ReconcileRun]:
    """Open the audit, and hold the facility while the block lasts.

    Args:
        settings: The settings in force.
        parameters: Those of the flow.
        on_wait: Called with the id of another run of the facility, if there is one to wait for.

    Raises:
        MophClaimError: Configuration or audit cannot be used, or the HIS where it is needed; nothing was sent.
    """
    with audit_engine(settings.audit_url(), patience_seconds=settings.audit.outage_seconds) as engine:

        def make_run(audit_run: Run) -> ReconcileRun:
            return ReconcileRun(settings, parameters, engine, audit_run)

        hcode = resolve_hcode(settings.his, settings.facility.hcode)
        with open_run(make_run, settings, parameters, engine, hcode=hcode, flow=FLOW, on_wait=on_wait) as run:
            yield run
