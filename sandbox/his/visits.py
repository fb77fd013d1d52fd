"""What happens at a visit, and how a hospital writes it down in its tables."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.his.database import Row
from sandbox.his.lookups import LAB_ICODES, vaccine_item
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

    @property
    def number(self) -> str:
        """The VN: Buddhist year, month, day and time of day, as `690921034436`."""
        return self.vn or f"{(self.day.year + 543) % 100:02d}{self.day:%m%d}{clock(self.second).replace(':', '')}"


def clock(second: int) -> str:
    """The second of a day as `HH:MM:SS`, staying within the day."""
    second = min(second, 86_399)
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


class Records:
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

    def admit(self, patient: Patient) -> None:
        """Register a person, at the desk (`patient`) and in the community (`person`)."""
        p = patient
        self.add(
            "patient",
            *(p.hn, p.cid, p.title, p.fname, p.lname, p.born, p.sex, p.marriage),
            *(p.nationality, p.nationality, p.occupation, p.passport, "N", None),
        )
        cid = "".join(c for c in p.cid or "" if c.isdigit())[:13] or None
        self.add("person", p.number, cid, p.title, p.fname, p.lname, p.born, p.sex, p.marriage, p.nationality, p.hn)

    def visit(self, visit: Visit) -> str:
        """Write one visit down and give its VN."""
        vn, hn = visit.number, visit.patient.hn
        day = visit.stored_day or visit.day.isoformat()
        time = clock(visit.second) if visit.stored_time == "" else visit.stored_time
        pttype = visit.patient.pttype
        spclty = "12" if visit.doses else "01"
        self.add(
            "ovst",
            *(vn, hn, visit.an, day, time, pttype, "10953", "10953", visit.doctor, spclty),
            *("010", "01", "99", "desk1", None),
        )
        self._write_rights(visit, vn)
        self._write_diagnoses(visit, vn, day, time)
        for order in visit.orders:
            self._write_labs(visit, vn, order)
        eligible = None
        if visit.his_uid is not None or any(dose.his_uid is not None for dose in visit.doses):
            eligible = self.serial("ovst_nhso_eligible")
            self.add("ovst_nhso_eligible", eligible, vn, 1, visit.his_uid)
        pregnancy = self._write_antenatal(visit, vn, visit.antenatal) if visit.antenatal else None
        for dose in visit.doses:
            self._write_dose(visit, vn, dose, pregnancy, eligible)
        return vn

    def _write_rights(self, visit: Visit, vn: str) -> None:
        rights = visit.rights
        if rights is None:
            rights = (Right(visit.patient.pttype, f"EP{self.serial('auth'):010d}"),)
        for number, right in enumerate(rights, start=1):
            self.add("visit_pttype", vn, right.pttype, number, "10953", None, right.claim_code, right.auth_code)

    def _write_diagnoses(self, visit: Visit, vn: str, day: str, time: str | None) -> None:
        for icd10, dx_type in visit.diagnoses:
            self.add("ovstdiag", self.serial("ovstdiag"), vn, visit.patient.hn, day, time, icd10, dx_type, visit.doctor)
        codes = [code[:6] for code, _ in visit.diagnoses if code[:1].isalpha()]
        pdx, others = (codes[0] if codes else None), codes[1:6]
        born = visit.patient.born or ""
        age = visit.day.year - int(born[:4]) if born[:4].isdigit() else None
        cid = visit.patient.cid and visit.patient.cid[:13]
        self.add(
            "vn_stat",
            *(vn, visit.patient.hn, cid, day, pdx, *others, *[None] * (6 - len(others))),
            *(age, 0, visit.patient.pttype, 50.0),
        )

    def _write_labs(self, visit: Visit, vn: str, order: LabOrder) -> None:
        number, hn = self.serial("lab_head"), visit.patient.hn
        day = visit.day.isoformat()
        ordered = clock(visit.second + order.minutes * 60)
        reported = clock(visit.second + (order.minutes + 30) * 60)
        report_day = (visit.day + timedelta(days=order.days_late)).isoformat() if order.days_late else day
        self.add(
            "lab_head", number, visit.an or vn, hn, day, ordered, report_day, reported, "LAB", order.confirmed, "001"
        )
        for item, result in order.results:
            self.add("lab_order", number, item, result, order.confirmed, None)
            if icode := LAB_ICODES.get(item):
                self.add("opitemrece", vn, hn, visit.an, icode, 1, 60.0, 60.0, day, "02")

    def _write_antenatal(self, visit: Visit, vn: str, antenatal: Antenatal) -> int:
        """The pregnancy and its service at this visit; gives the service's number."""
        pregnancy, service = self.serial("person_anc"), self.serial("person_anc_service")
        self.add("person_anc", pregnancy, visit.patient.number, antenatal.gravida, None)
        self.add("person_anc_service", service, pregnancy, vn, visit.day.isoformat(), antenatal.weeks)
        return service

    def _write_dose(self, visit: Visit, vn: str, dose: Dose, pregnancy: int | None, eligible: int | None) -> None:
        item, person, day = vaccine_item(dose.family, dose.code), visit.patient.number, visit.day.isoformat()
        if dose.family == "ovst":
            number = self.serial("ovst_vaccine")
            self.add(
                "ovst_vaccine",
                *(number, vn, item, dose.lot, dose.expiry, dose.quantity, None, dose.doctor, "desk1", dose.given),
            )
            if dose.his_uid is not None:
                self.add("ovst_vaccine_eligible", self.serial("vaccine_eligible"), eligible, number, dose.his_uid)
        elif dose.family == "anc":
            self.add("person_anc_service_detail", pregnancy, item, dose.lot, dose.expiry, dose.doctor)
        elif dose.family == "wbc":
            child, service = self.serial("person_wbc"), self.serial("person_wbc_service")
            self.add("person_wbc", child, person)
            self.add("person_wbc_service", service, child, vn, day)
            detail = self.serial("person_wbc_vaccine_detail")
            self.add("person_wbc_vaccine_detail", detail, service, item, dose.lot, dose.expiry, dose.doctor)
        else:
            register, list_ = _REGISTERS[dose.family]
            child, service = self.serial(register), self.serial(f"{register}_vaccine")
            self.add(register, child, person)
            self.add(f"{register}_vaccine", service, child, vn, day)
            self.add(list_, service, item, dose.lot, dose.expiry, dose.doctor)


# The child health book and the school keep theirs alike.
_REGISTERS = {
    "epi": ("person_epi", "person_epi_vaccine_list"),
    "school": ("village_student", "village_student_vaccine_list"),
}
