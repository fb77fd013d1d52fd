"""The ledger of one facility in the hands of one run: one row a claim, and its state.

Every change of a claim's state is made by `load.intake` (claims are registered, changed, withdrawn) or `load.ledger_writer`
(claims are sent, answered, given up, settled), each as `load.states` allows; `load.queue` reads.
"""

from sqlalchemy import Engine

from load.intake import ClaimIntake
from load.ledger_writer import LedgerWriter
from load.queue import ClaimQueue
from load.runs import Run


class Ledger:
    """The claims of one facility in one environment.

    Attributes:
        intake: Registers claims.
        queue: Reads what is due, and what is known.
        writer: Writes what is sent and answered.

    Args:
        engine: The audit database, migrated.
        run: The run that holds the facility.
    """

    def __init__(self, engine: Engine, run: Run) -> None:
        self.intake = ClaimIntake(engine, run)
        self.queue = ClaimQueue(engine, run)
        self.writer = LedgerWriter(engine, run)
