"""Building a synthetic HOSxP database from a seed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from sandbox.his.database import Row, Store, new_hospital
from sandbox.his.days import CLOSES, OPENS, Days, Mix
from sandbox.his.lookups import lookup_rows
from sandbox.his.traps import set_traps
from sandbox.his.traps.stage import Stage
from sandbox.his.visits import Records


@dataclass(frozen=True, slots=True)
class HisSummary:
    """What a synthetic hospital holds.

    Args:
        hcode: The hospital's five digits.
        first_day: First day of the window.
        days: Days in the window.
        people: Rows of `patient`.
        visits: Rows of `ovst`, those before the window and the traps included.
        rows: Rows by table.
        claims: By kind, how many claims the ordinary visits hold: faultless, each of them to be accepted once.
        traps: By trap, the VNs of its visits in the window; `sandbox.his.TRAPS` says what each is.
    """

    hcode: str
    first_day: date
    days: int
    people: int
    visits: int
    rows: dict[str, int]
    claims: dict[str, int]
    traps: dict[str, list[str]] = field(repr=False)


def build_hosxp(
    url: str,
    *,
    first_day: date,
    days: int,
    visits_a_day: int,
    seed: int = 1,
    hcode: str = "10953",
    hospital_name: str = "โรงพยาบาลตัวอย่าง",
    traps: bool = True,
    mix: Mix | None = None,
) -> HisSummary:
    """Create the tables of a HOSxP hospital in an empty database and fill them with invented people.

    The same arguments give the same rows on SQLite, MariaDB and PostgreSQL; only a zero date is spelt as the database
    spells it. Rows are written day by day, so memory holds a day and the people.

    Args:
        url: SQLAlchemy URL of a SQLite file, or of an empty MariaDB, MySQL or PostgreSQL database.
        first_day: First day of the window, from November 2023 on (when today's vaccine codes were all valid).
        days: Days in the window, each with as many visits: there are no holidays.
        visits_a_day: Ordinary visits a day, at most 36,000; the traps come on top.
        seed: The same seed gives the same hospital.
        hcode: The hospital's five digits.
        hospital_name: As it stands in `opdconfig`.
        traps: Also plant a few of every known difficulty.
        mix: What the ordinary visits are for.

    Raises:
        HisExistsError: The database already holds such tables.
        ValueError: A number is out of its bounds.
    """
    if days < 1 or not 0 <= visits_a_day <= CLOSES - OPENS:
        raise ValueError(f"days must be at least 1 and visits a day between 0 and {CLOSES - OPENS}")
    records, counts = Records(), Counter[str]()
    # Chance of its own for the traps: switching them on does not change the ordinary days.
    ordinary = Days(Random(f"{seed}/days"), records, first_day, visits_a_day, mix or Mix())
    planted: dict[str, list[str]] = {}
    with new_hospital(url) as store:
        _pour(store, lookup_rows(hcode, hospital_name), counts)
        for number in range(days):
            ordinary.day(first_day + timedelta(days=number))
            _pour(store, records.take(), counts)
        if traps:
            planted = set_traps(Stage(Random(f"{seed}/traps"), records, first_day, days))
            _pour(store, records.take(), counts)
    return HisSummary(
        hcode=hcode,
        first_day=first_day,
        days=days,
        people=counts["patient"],
        visits=counts["ovst"],
        rows=dict(counts),
        claims=ordinary.claims,
        traps=planted,
    )


def _pour(store: Store, rows: Mapping[str, Sequence[Row]], counts: Counter[str]) -> None:
    store.pour(rows)
    counts.update({table: len(batch) for table, batch in rows.items()})
