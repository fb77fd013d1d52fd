"""Visits, in a form that does not depend on the HIS."""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date

from sandbox.his.database import Row
from sandbox.his.people import Patient

Results = tuple[tuple[int, str | None], ...]
"""(lab item, result as text) of one order."""

Diagnoses = tuple[tuple[str, str], ...]
"""(ICD code, diagnosis type) of one visit, procedures included."""


@dataclass(frozen=True, slots=True)
class LabOrder:
    """One order to the laboratory and its results.

    Args:
        results: Results by lab item, in the order of the items.
        minutes: When the order was written, in minutes after the start of the visit; the report comes half an hour later.
        confirmed: `lab_order.confirm`.
        days_late: Days from the order to the report.
    """

    results: Results
    minutes: int = 20
    confirmed: str | None = "Y"
    days_late: int = 0


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose of a vaccine, in the codes of the family of tables that holds it.

    Args:
        family: `ovst`, `wbc`, `epi`, `school` or `anc`.
        code: A code of that family's list in `lookups.FAMILIES`.
        given: Date and time of `ovst_vaccine.immunization_datetime`; the other families have none.
        his_uid: The transaction under which the HIS itself claimed this dose; "" for an unfinished claim.
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
    """One visit.

    Args:
        second: The second of the day at which it began. The VN is made from day and second: no two visits share both.
        rights: Rows of `visit_pttype`; None for the patient's right with a new closing code.
        an: Admission number; the lab results then have it instead of the VN.
        vn, stored_day, stored_time: What the tables hold, if it differs from `day` and `second`.
        his_uid: The transaction under which the HIS itself claimed the visit; "" for an unfinished claim.
        flagservice: JHCIS only: status of the visit; 99 is cancelled.
        main_inscl: JHCIS only: the scheme stored with the visit; None for that of the right.
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
    """A second of the day as `HH:MM:SS`, at most 23:59:59."""
    second = min(second, 86_399)
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


class Records(ABC):
    """Turns people and visits into rows of the tables of a HIS, and collects the rows."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._serial: Counter[str] = Counter()

    def take(self) -> dict[str, list[Row]]:
        """Return the rows added since the last call, by table."""
        rows, self._rows = self._rows, defaultdict(list)
        return rows

    def add(self, table: str, *row: str | int | float | None) -> None:
        """Add one row."""
        self._rows[table].append(row)

    def serial(self, name: str) -> int:
        """The next number of a series."""
        self._serial[name] += 1
        return self._serial[name]

    @abstractmethod
    def register(self, patient: Patient) -> None:
        """Register a person."""

    @abstractmethod
    def visit(self, visit: Visit) -> str:
        """Add a visit; returns its number in this HIS."""

    @abstractmethod
    def given_elsewhere(self, patient: Patient, code: str, day: date) -> None:
        """Add a dose that another hospital gave: history, never a claim."""
