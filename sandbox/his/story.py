"""What happens at a hospital: the same people, visits and difficulties whatever program writes them down."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sandbox.his.database import Row
from sandbox.his.days import CLOSES, OPENS, Days, Mix
from sandbox.his.traps import Trap
from sandbox.his.traps.stage import Stage
from sandbox.his.visits import Records


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a story is and what it is about; the arguments are those of `build_hosxp`.

    Raises:
        ValueError: A number is out of its bounds.
    """

    first_day: date
    days: int
    visits_a_day: int
    seed: int = 1
    traps: bool = True
    mix: Mix | None = None

    def __post_init__(self) -> None:
        if self.days < 1 or not 0 <= self.visits_a_day <= CLOSES - OPENS:
            raise ValueError(f"days must be at least 1 and visits a day between 0 and {CLOSES - OPENS}")


class Story:
    """A plan come to life in the records of one HIS.

    Args:
        plan: What happens.
        records: Where it is written down.
        traps: The difficulties, in the order they are planted.
        left_out: Names of those the HIS cannot hold.
    """

    def __init__(self, plan: Plan, records: Records, traps: tuple[Trap, ...], left_out: Collection[str] = ()) -> None:
        self.planted: dict[str, list[str]] = {}
        self._plan, self._records, self._traps, self._left_out = plan, records, traps, left_out
        rng = Random(f"{plan.seed}/days")
        self._ordinary = Days(rng, records, plan.first_day, plan.visits_a_day, plan.mix or Mix())

    @property
    def claims(self) -> dict[str, int]:
        """By kind, how many claims the ordinary visits told so far hold."""
        return self._ordinary.claims

    def told(self) -> Iterator[dict[str, list[Row]]]:
        """The rows by table, day by day and then of all traps."""
        for number in range(self._plan.days):
            self._ordinary.day(self._plan.first_day + timedelta(days=number))
            yield self._records.take()
        if self._plan.traps:
            yield self._troubles()

    def _troubles(self) -> dict[str, list[Row]]:
        # Chance of its own for the traps: switching them on does not change the ordinary days.
        rng = Random(f"{self._plan.seed}/traps")
        stage = Stage(rng, self._records, self._plan.first_day, self._plan.days)
        together: dict[str, list[Row]] = defaultdict(list)
        for trap in self._traps:
            numbers, rows = trap(stage), self._records.take()
            # What the HIS cannot hold happens all the same: people and numbers after it are as elsewhere.
            if trap.__name__ not in self._left_out:
                self.planted[trap.__name__] = numbers
                for table, batch in rows.items():
                    together[table] += batch
        return together
