"""What happens at a visit, whatever program writes it down in its tables."""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date

from sandbox.his.database import Row
from sandbox.his.people import Patient

Results = tuple[tuple[int, str | None], ...]
"""(lab item, result as text) of one order."""

Diagnoses = tuple[tuple[str, str], ...]
"""(ICD code, diagnosis type) of one visit; procedures stand among them."""


@dataclass(frozen=True, slots=True)
class LabOrder:
    """One sheet sent to the laboratory: results by lab item, and how it came back.

    Args:
        results: By lab item, in the order they were ordered.
        minutes: Minutes after the visit began that the order was written; the report comes half an hour later.
        confirmed: `lab_order.confirm`.
        days_late: Days after the order that the report came.
    """

    results: Results
    minutes: int = 20
    confirmed: str | None = "Y"
    days_late: int = 0


@dataclass(frozen=True, slots=True)
class Dose:
    """One vaccine given, in the words of the family of tables that holds it.

    Args:
        family: `ovst`, `wbc`, `epi`, `school` or `anc`.
        code: A code of that family's list in `lookups.FAMILIES`.
        given: Date and time of `ovst_vaccine.immunization_datetime`; the other families have none.
        his_uid: The transaction by which the hospital's own program claimed this dose; "" for an unfinished claim.
    """

    family: str
    code: str
    lot: str | None
    expiry: str | None
    doctor: str | None
    quantity: float | None = 1
    given: str | None = None
    his_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Antenatal:
    """An antenatal service at the visit: which pregnancy, and how many weeks."""

    gravida: int | None
    weeks: int | None


@dataclass(frozen=True, slots=True)
class Right:
    """One row of `visit_pttype`."""

    pttype: str
    auth_code: str | None = None
    claim_code: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit, before it is spread over the tables.

    Args:
        second: The second of the day it began; with the day it makes the VN, so no two visits share both.
        rights: Rows of `visit_pttype`; None gives the patient's right with a closing code of its own.
        an: Admission number; the labs then stand under it and not under the VN.
        vn, stored_day, stored_time: What the tables hold where it is not what `day` and `second` say.
        his_uid: The transaction by which the hospital's own program claimed the visit; "" for an unfinished claim.
        flagservice: What JHCIS marks the visit with; 99 is cancelled. HOSxP has no such mark.
        main_inscl: The scheme JHCIS keeps with the visit; None leaves it to the right. HOSxP has no such column.
    """

    patient: Patient
    day: date
    second: int
    diagnoses: Diagnoses = ()
    orders: tuple[LabOrder, ...] = ()
    doses: tuple[Dose, ...] = ()
    antenatal: Antenatal | None = None
    rights: tuple[Right, ...] | None = None
    an: str | None = None
    doctor: str = "001"
    his_uid: str | None = None
    vn: str | None = None
    stored_day: str | None = None
    stored_time: str | None = ""
    flagservice: str | None = "03"
    main_inscl: str | None = None

    @property
    def number(self) -> str:
        """The VN: Buddhist year, month, day and time of day, as `690921034436`."""
        return self.vn or f"{(self.day.year + 543) % 100:02d}{self.day:%m%d}{clock(self.second).replace(':', '')}"


def clock(second: int) -> str:
    """The second of a day as `HH:MM:SS`, staying within the day."""
    second = min(second, 86_399)
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


class Records(ABC):
    """The hospital's paperwork: turns people and visits into rows of every table, until they are taken away."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._serial: Counter[str] = Counter()

    def take(self) -> dict[str, list[Row]]:
        """The rows written since the last time, by table."""
        rows, self._rows = self._rows, defaultdict(list)
        return rows

    def add(self, table: str, *row: str | int | float | None) -> None:
        """Write one row as it is."""
        self._rows[table].append(row)

    def serial(self, name: str) -> int:
        """The next number of a series."""
        self._serial[name] += 1
        return self._serial[name]

    @abstractmethod
    def admit(self, patient: Patient) -> None:
        """Register a person."""

    @abstractmethod
    def visit(self, visit: Visit) -> str:
        """Write one visit down and give the number it has in this HIS."""

    @abstractmethod
    def given_elsewhere(self, patient: Patient, code: str, day: date) -> None:
        """Note a dose that another hospital gave: history, never a claim."""
