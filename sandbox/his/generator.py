"""Generates a hospital's people, visits and traps: the same whichever HIS they are written for."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sandbox.his.database import Row
from sandbox.his.days import CLOSES, OPENS, Days, VisitMix
from sandbox.his.traps import Trap
from sandbox.his.traps.visit_factory import VisitFactory
from sandbox.his.visits import Records


@dataclass(frozen=True, slots=True)
class Plan:
    """What to generate; the arguments are those of `build_hosxp`.

    Raises:
        ValueError: A number is out of its bounds.
    """

    first_day: date
    days: int
    visits_a_day: int
    seed: int = 1
    traps: bool = True
    mix: VisitMix | None = None

    def __post_init__(self) -> None:
        if self.days < 1 or not 0 <= self.visits_a_day <= CLOSES - OPENS:
            raise ValueError(f"days must be at least 1 and visits a day between 0 and {CLOSES - OPENS}")


class Generator:
    """Generates the rows of one HIS.

    Attributes:
        planted: The numbers of the visits of each trap, by the trap's name.

    Args:
        plan: What to generate.
        records: Writes people and visits as rows of the HIS.
        traps: The traps, in the order in which they are written.
        unsupported: Names of the traps that the HIS cannot represent.
    """

    def __init__(
        self, plan: Plan, records: Records, traps: tuple[Trap, ...], unsupported: Collection[str] = ()
    ) -> None:
        self.planted: dict[str, list[str]] = {}
        self._plan, self._records, self._traps, self._left_out = plan, records, traps, unsupported
        rng = Random(f"{plan.seed}/days")
        self._ordinary = Days(rng, records, plan.first_day, plan.visits_a_day, plan.mix or VisitMix())

    @property
    def claims(self) -> dict[str, int]:
        """Number of claims of the ordinary visits generated so far, by kind."""
        return self._ordinary.claims

    def batches(self) -> Iterator[dict[str, list[Row]]]:
        """The rows by table: of one day after the other, then of all traps."""
        for number in range(self._plan.days):
            self._ordinary.day(self._plan.first_day + timedelta(days=number))
            yield self._records.take()
        if self._plan.traps:
            yield self._trap_rows()

    def _trap_rows(self) -> dict[str, list[Row]]:
        # The traps have random numbers of their own, so that they do not change the ordinary days.
        rng = Random(f"{self._plan.seed}/traps")
        factory = VisitFactory(rng, self._records, self._plan.first_day, self._plan.days)
        trap_rows: dict[str, list[Row]] = defaultdict(list)
        for trap in self._traps:
            numbers, rows = trap(factory), self._records.take()
            # An unsupported trap is generated and dropped, so that people and numbers after it are as on other HIS.
            if trap.__name__ not in self._left_out:
                self.planted[trap.__name__] = numbers
                for table, batch in rows.items():
                    trap_rows[table] += batch
        return trap_rows
