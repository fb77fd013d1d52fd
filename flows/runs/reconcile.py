"""A run that looks after what earlier ones left, as the rooms see it: what the tasks of `reconcile` call.

It needs the audit and MOPH Claim alone: the hospital database is asked for the facility's code where none is configured.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine

from core.clock import now, today
from flows.parameters import Reconciling
from flows.runs.claim_run import Shift, audit_engine, open_run, resolve_hcode
from flows.settings.settings import Settings
from load.ledger import Transaction
from load.runs import Run
from load.states import DUE, State
from load.statuses import Inquiry


class Morning(Shift):
    """A reconciling run. Made by `open_morning`.

    Attributes:
        given_up: Claims whose closing code did not come in time; of a dry run, those that would be given up.
        would_send: Claims a dry run would send, by where they stand.
        would_ask: Transactions a dry run would ask about.
        inquiry: Asks about transactions, and counts.

    Args:
        settings: The settings in force.
        wish: What the run is for.
        engine: The audit database.
        run: The run that holds the facility.
    """

    def __init__(self, settings: Settings, wish: Reconciling, engine: Engine, run: Run) -> None:
        super().__init__(settings, wish, engine, run)
        self.given_up = 0
        self.would_send: dict[State, int] = {}
        self.would_ask = 0
        self.inquiry = self.stack.enter_context(Inquiry(settings.api, self.ledger, self.tokens, wish.concurrency))
        self._asks = wish.ask_status and settings.reconcile.ask_status
        self._asked_up_to = 0
        self._held_since = today() - timedelta(days=settings.reconcile.held_days)
        self._accepted_since = now() - timedelta(days=settings.reconcile.status_days)

    def counts(self) -> dict[str, Any]:
        """What is left with the run when it ends."""
        inquiry = self.inquiry
        asked = {"asked": inquiry.asked, "answered": inquiry.answered, "proved": inquiry.proved}
        return super().counts() | {"given_up": self.given_up} | asked

    def plan(self) -> None:
        """What a run that is no dry run would do."""
        wish = self.wish

        def standing(state: State, first: date, last: date) -> int:
            return self.ledger.count_due([state], wish.kinds, first, last)

        self.given_up = standing(State.HELD, wish.first, self._held_since - timedelta(days=1))
        self.would_send = {
            state: standing(state, self._held_since if state is State.HELD else wish.first, wish.last) for state in DUE
        }
        while some := self.next_transactions():
            self.would_ask += len(some)

    def give_up(self) -> None:
        """Give up the claims whose closing code did not come within the window."""
        self.given_up = self.ledger.give_up(self._held_since)

    def next_transactions(self) -> list[Transaction]:
        """The next transactions to ask about; empty when all have been, or asking makes no sense."""
        if not self._asks or self.inquiry.trouble:
            return []
        settled = self.settings.reconcile.settled_statuses
        some = self.ledger.to_ask(self._accepted_since, settled, self._asked_up_to, self.wish.chunk_size)
        self._asked_up_to = some[-1].id if some else self._asked_up_to
        return some

    def ask(self, transactions: list[Transaction]) -> None:
        """Ask what has become of transactions, and write it down."""
        self.inquiry.ask(transactions)


@contextmanager
def open_morning(settings: Settings, wish: Reconciling, flow: str, on_wait: Callable[[str], None]) -> Iterator[Morning]:
    """Open the audit, and hold the facility while the block lasts.

    Args:
        settings: The settings in force.
        wish: What the run is for.
        flow: The flow's name, for the audit.
        on_wait: Told the id of another run of the facility, if there is one to wait for.

    Raises:
        MophClaimError: Configuration or audit cannot be used, or the HIS where it is needed; nothing was sent.
    """
    with audit_engine(settings) as engine:
        hcode = resolve_hcode(settings)

        def begin(run: Run) -> Morning:
            return Morning(settings, wish, engine, run)

        with open_run(begin, settings, wish, engine, hcode=hcode, flow=flow, on_wait=on_wait) as morning:
            yield morning
