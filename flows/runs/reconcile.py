"""Reconcile run without Prefect: it sends what earlier runs left, and asks what became of accepted claims.

What came from a hospital database goes as that has it now: the visits of such claims are read again, and no others.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine

from core.clock import now, today
from extract.hcode import check_hcode, resolve_hcode
from extract.source import open_source
from flows.parameters import OLDEST, ReconcileParameters
from flows.runs.claim_run import ClaimRun, Selection, open_run
from flows.runs.days import RunCounts
from flows.runs.his_days import HisDays
from flows.settings.model import Settings
from load.database import audit_engine
from load.inquiry import Inquiry
from load.open_visits import Visits, visits_of_claims
from load.queue import Transaction
from load.runs import Run
from load.states import DUE, State
from transform.claim import KINDS

FLOW = "reconcile"


class ReconcileRun(ClaimRun):
    """A reconciling run. Made by `open_reconcile_run`.

    Attributes:
        given_up: Claims whose closing code did not come in time; of a dry run, those that would be given up if it does not come.
        would_ask: Transactions a dry run would ask about.
        inquiry: Asks about transactions, and counts.

    Args:
        settings: The settings in force.
        parameters: Those of the flow.
        engine: The audit database.
        audit_run: The run as the audit has it; it holds the facility.
    """

    def __init__(self, settings: Settings, parameters: ReconcileParameters, engine: Engine, audit_run: Run) -> None:
        selection = Selection(DUE, KINDS, OLDEST, today(), read=settings.has_his)
        super().__init__(settings, parameters, engine, audit_run, selection)
        self.given_up = 0
        self._his_days: HisDays | None = None
        self._planned = RunCounts()
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

    @property
    def would_send(self) -> Counter[State]:
        """Claims a dry run would send, by state."""
        return self._planned.planned_states

    def open_visits(self) -> Visits:
        """The visits of the HIS's claims that wait to be sent."""
        s = self.selection
        return visits_of_claims(self.engine, self.audit_run, s.states, s.kinds, s.first) if s.read else {}

    def read_again(self, visits: Visits) -> Iterator[tuple[date, Counter[str]]]:
        """Read these visits as they are today, and register them.

        Raises:
            MophClaimError: The hospital database cannot be used.
        """
        if self._his_days is None:
            source = self.stack.enter_context(open_source(self.settings.his))
            check_hcode(source, self.audit_run.hcode)
            self._his_days = HisDays(self, source)
            self._planned = self._his_days.registrar.counts
        return self._his_days.read_again(visits)

    def plan(self) -> None:
        """Count what a run that is no dry run would do besides sending what it has read at the HIS."""
        queue, s = self.ledger.queue, self.selection
        self._planned.plan_due(queue.due_by_kind(s.states, s.kinds, s.first, s.last, read=s.read))
        self.given_up = queue.count_due([State.HELD], s.kinds, s.first, self._held_since - timedelta(days=1))
        while some := self.next_transactions():
            self.would_ask += len(some)

    def give_up(self) -> None:
        """Give up the claims whose closing code did not come within the window: they were sent once more, and not taken."""
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
