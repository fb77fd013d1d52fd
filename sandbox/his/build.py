"""Building a synthetic hospital database, HOSxP or JHCIS, from a seed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain

import sqlalchemy as sa

from sandbox.his.database import Row, new_hospital
from sandbox.his.days import Mix
from sandbox.his.hosxp import lookups as hosxp_lookups
from sandbox.his.hosxp.records import HosxpRecords
from sandbox.his.hosxp.tables import hosxp_tables
from sandbox.his.jhcis import lookups as jhcis_lookups
from sandbox.his.jhcis.records import JhcisRecords
from sandbox.his.jhcis.tables import jhcis_tables
from sandbox.his.jhcis.traps import JHCIS_ONLY, NOT_IN_JHCIS
from sandbox.his.story import Plan, Story
from sandbox.his.traps import SHARED, Trap
from sandbox.his.visits import Records, Visit


@dataclass(frozen=True, slots=True)
class HisSummary:
    """What a synthetic hospital holds.

    Args:
        hcode: The hospital's five digits.
        first_day: First day of the window.
        days: Days in the window.
        people: Rows of `patient` (HOSxP) or `person` (JHCIS).
        visits: Rows of `ovst` or `visit`, those before the window and the traps included.
        rows: Rows by table.
        claims: By kind, how many claims the ordinary visits hold: faultless, each of them to be accepted once.
        traps: By trap, the numbers (VN, or visitno as text) of its visits in the window; `sandbox.his.TRAPS` and
            `sandbox.his.JHCIS_TRAPS` say what each is.
    """

    hcode: str
    first_day: date
    days: int
    people: int
    visits: int
    rows: dict[str, int]
    claims: dict[str, int]
    traps: dict[str, list[str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _His:
    """One hospital information system.

    Args:
        tables: What its tables look like.
        lookups: The rows that do not grow with the visits, from hcode and hospital name.
        records: Whoever writes people and visits down in it, from the hcode.
        people, visits: The tables that hold one row a person, one row a visit.
        traps: The difficulties, in the order they are planted.
        left_out: Those of them it cannot hold, by name, and why.
    """

    tables: Callable[[], sa.MetaData]
    lookups: Callable[[str, str], Mapping[str, Sequence[Row]]]
    records: Callable[[str], Records]
    people: str
    visits: str
    traps: tuple[Trap, ...] = SHARED
    left_out: Mapping[str, str] = field(default_factory=dict)


_HOSXP = _His(hosxp_tables, hosxp_lookups.lookup_rows, lambda _: HosxpRecords(), "patient", "ovst")
_JHCIS = _His(
    jhcis_tables,
    jhcis_lookups.lookup_rows,
    JhcisRecords,
    "person",
    "visit",
    traps=(*SHARED, *JHCIS_ONLY),
    left_out=NOT_IN_JHCIS,
)


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
        hospital_name: As the HIS has it.
        traps: Also plant a few of every known difficulty.
        mix: What the ordinary visits are for.

    Raises:
        HisExistsError: The database already holds such tables.
        ValueError: A number is out of its bounds.
    """
    return _build(_HOSXP, url, Plan(first_day, days, visits_a_day, seed, traps, mix), hcode, hospital_name)


def build_jhcis(
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
    """Create the tables of a JHCIS health centre and fill them with the people and visits `build_hosxp` would.

    The same arguments give the same people on the same days with the same diagnoses, results and doses, so the claims
    are the same but for what the tables cannot say: `seq` is the visitno and `hn` the pid, a P41 has no `prenatal`,
    and all doses of a visit have one giver. `vn_by_visitno` pairs the visits. Of the traps, `NOT_IN_JHCIS` are missing
    with their visits, and some come on top that only JHCIS has; `JHCIS_TRAPS` describes those there are. Arguments,
    errors and what is the same on every database are those of `build_hosxp`.
    """
    return _build(_JHCIS, url, Plan(first_day, days, visits_a_day, seed, traps, mix), hcode, hospital_name)


def vn_by_visitno(
    *, first_day: date, days: int, visits_a_day: int, seed: int = 1, traps: bool = True, mix: Mix | None = None
) -> dict[str, str]:
    """The VN of the same visit on HOSxP, by the visitno that `build_jhcis` gives it, for the same arguments.

    Neither database is asked: the story is told once more. Visits that stand in one of the two only are not there.
    """
    plan = Plan(first_day, days, visits_a_day, seed, traps, mix)
    story = Story(plan, _PairedRecords("10953"), SHARED, NOT_IN_JHCIS)
    return {str(visitno): str(vn) for rows in story.told() for visitno, vn in rows.get(_PAIRS, ())}


_PAIRS = "visitno and vn"


class _PairedRecords(JhcisRecords):
    """Notes beside every visit the number it has on HOSxP."""

    def visit(self, visit: Visit) -> str:
        visitno = super().visit(visit)
        self.add(_PAIRS, visitno, visit.number)
        return visitno


def _build(his: _His, url: str, plan: Plan, hcode: str, hospital_name: str) -> HisSummary:
    counts = Counter[str]()
    story = Story(plan, his.records(hcode), his.traps, his.left_out)
    with new_hospital(url, his.tables()) as store:
        for rows in chain([his.lookups(hcode, hospital_name)], story.told()):
            store.pour(rows)
            counts.update({table: len(batch) for table, batch in rows.items()})
    return HisSummary(
        hcode=hcode,
        first_day=plan.first_day,
        days=plan.days,
        people=counts[his.people],
        visits=counts[his.visits],
        rows=dict(counts),
        claims=story.claims,
        traps=story.planted,
    )
