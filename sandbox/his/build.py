"""Building a synthetic hospital database, HOSxP or JHCIS, from a seed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain

import sqlalchemy as sa

from sandbox.his.database import Row, new_hospital
from sandbox.his.days import VisitMix
from sandbox.his.generator import Generator, Plan
from sandbox.his.hosxp import lookups as hosxp_lookups
from sandbox.his.hosxp.records import HosxpRecords
from sandbox.his.hosxp.tables import hosxp_tables
from sandbox.his.jhcis import lookups as jhcis_lookups
from sandbox.his.jhcis.records import JhcisRecords
from sandbox.his.jhcis.tables import jhcis_tables
from sandbox.his.jhcis.traps import JHCIS_ONLY, NOT_IN_JHCIS
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
        rows: Number of rows, by table.
        claims: Number of claims of the ordinary visits, by kind: all without fault, each to be accepted once.
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
        tables: Makes its tables.
        lookups: Makes the rows of its code lists, from hcode and hospital name.
        records: Makes the writer of its people and visits, from the hcode.
        people, visits: Names of the tables with one row a person and one row a visit.
        traps: The traps, in the order in which they are written.
        unsupported: Names of the traps that its tables cannot represent, and why.
    """

    tables: Callable[[], sa.MetaData]
    lookups: Callable[[str, str], Mapping[str, Sequence[Row]]]
    records: Callable[[str], Records]
    people: str
    visits: str
    traps: tuple[Trap, ...] = SHARED
    unsupported: Mapping[str, str] = field(default_factory=dict)


_HOSXP = _His(hosxp_tables, hosxp_lookups.lookup_rows, lambda _: HosxpRecords(), "patient", "ovst")
_JHCIS = _His(
    jhcis_tables,
    jhcis_lookups.lookup_rows,
    JhcisRecords,
    "person",
    "visit",
    traps=(*SHARED, *JHCIS_ONLY),
    unsupported=NOT_IN_JHCIS,
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
    mix: VisitMix | None = None,
) -> HisSummary:
    """Create the tables of a HOSxP hospital in an empty database and fill them with invented people.

    The same arguments give the same rows on SQLite, MariaDB and PostgreSQL; only a zero date is written as the database
    has it. Rows are written day by day: memory holds one day and the people.

    Args:
        url: SQLAlchemy URL of a SQLite file, or of an empty MariaDB, MySQL or PostgreSQL database.
        first_day: First day of the window, from November 2023 on (when today's vaccine codes were all valid).
        days: Days in the window, each with as many visits: there are no holidays.
        visits_a_day: Ordinary visits a day, at most 36,000; the traps come on top.
        seed: The same seed gives the same hospital.
        hcode: The hospital's five digits.
        hospital_name: The hospital's name.
        traps: Also write the traps: a few visits with each known difficulty.
        mix: Reasons of the ordinary visits.

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
    mix: VisitMix | None = None,
) -> HisSummary:
    """Create the tables of a JHCIS health centre and fill them with the people and visits `build_hosxp` would.

    The same arguments give the same people on the same days with the same diagnoses, results and doses. The claims are
    the same too, except that `seq` is the visitno and `hn` the pid, that a P41 has no `prenatal`, and that all doses of
    a visit have the same provider. `vn_by_visitno` maps the visits. The traps `NOT_IN_JHCIS` and their visits are
    missing; some traps exist on JHCIS only; `JHCIS_TRAPS` describes all that there are. Arguments and errors are those
    of `build_hosxp`.
    """
    return _build(_JHCIS, url, Plan(first_day, days, visits_a_day, seed, traps, mix), hcode, hospital_name)


def vn_by_visitno(
    *, first_day: date, days: int, visits_a_day: int, seed: int = 1, traps: bool = True, mix: VisitMix | None = None
) -> dict[str, str]:
    """The VN of the same visit on HOSxP, by the visitno that `build_jhcis` gives it, for the same arguments.

    No database is read: the visits are generated once more. Visits that only one of the two has are left out.
    """
    plan = Plan(first_day, days, visits_a_day, seed, traps, mix)
    generator = Generator(plan, _PairedRecords("10953"), SHARED, NOT_IN_JHCIS)
    return {str(visitno): str(vn) for rows in generator.batches() for visitno, vn in rows.get(_PAIRS, ())}


_PAIRS = "visitno and vn"


class _PairedRecords(JhcisRecords):
    """Also records the number that each visit has on HOSxP."""

    def visit(self, visit: Visit) -> str:
        visitno = super().visit(visit)
        self.add(_PAIRS, visitno, visit.number)
        return visitno


def _build(his: _His, url: str, plan: Plan, hcode: str, hospital_name: str) -> HisSummary:
    counts = Counter[str]()
    generator = Generator(plan, his.records(hcode), his.traps, his.unsupported)
    with new_hospital(url, his.tables()) as store:
        for rows in chain([his.lookups(hcode, hospital_name)], generator.batches()):
            store.insert(rows)
            counts.update({table: len(batch) for table, batch in rows.items()})
    return HisSummary(
        hcode=hcode,
        first_day=plan.first_day,
        days=plan.days,
        people=counts[his.people],
        visits=counts[his.visits],
        rows=dict(counts),
        claims=generator.claims,
        traps=generator.planted,
    )
