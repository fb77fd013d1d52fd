"""How people and visits become rows of JHCIS; the people and visits are those of HOSxP."""

import re
from datetime import date, timedelta

from sandbox.his.jhcis import lookups as jhcis
from sandbox.his.lookups import OTHER_HOSPITAL
from sandbox.his.people import Patient
from sandbox.his.visits import Dose, Records, Visit, clock

_NUMBER = re.compile(r"\d+(\.\d+)?")
_ICD10 = re.compile(r"[A-Z]\d\d\w+")


class JhcisRecords(Records):
    """People in `person`, visits in `visit`, `visitdiag`, `visitepi` and `visitlabchcyhembmsse`.

    What one HIS spells in one way JHCIS spells in several, so each way occurs among the ordinary visits, by turns:
    `prename` is mostly a code of `ctitle`, for every fifth person the title itself; `main_inscl` is filled on every
    other visit, else `cright.rightgroup` tells the right; a diagnosis has a dot, none, or a code of the centre's own;
    every seventh number of the laboratory stands in `labresulttext`.

    A visit has one right, one closing code, and one user: whoever gave its first dose, else its doctor. All families
    of vaccines are one table. The antenatal register is not among the tables: dT in an antenatal visit shows by its
    code (201 to 205 instead of 106), and nothing says gravida and weeks. Procedures are not among the diagnoses.
    `dateupdate` is the evening's upload and tells no time of anything.

    Args:
        hcode: The health centre's five digits.
    """

    def __init__(self, hcode: str) -> None:
        super().__init__()
        self._hcode = hcode

    def register(self, patient: Patient) -> None:
        """Add a person to `person`; the pid is the person's number."""
        p = patient
        title = p.title if p.number % 5 == 0 else jhcis.TITLE_CODES[p.title]
        self.add(
            "person",
            *(self._hcode, p.number, title, p.fname, p.lname, p.born, p.sex, p.cid),
            *(p.marriage, p.occupation, p.nationality, p.pttype, "9"),
        )

    def visit(self, visit: Visit) -> str:
        """Add a visit; returns its `visitno`: visits are numbered from 1 in the order in which they are added."""
        number = self.serial("visit")
        day = visit.stored_day or visit.day.isoformat()
        time = clock(visit.second) if visit.stored_time == "" else visit.stored_time
        code = self._closing_code(visit)
        giver = visit.doses[0].doctor if visit.doses else visit.doctor
        self.add(
            "visit",
            *(self._hcode, number, day, self._hcode, visit.patient.number, time, clock(visit.second + 1800)),
            *(visit.patient.pttype, self._hcode, self._hcode, giver and jhcis.username(giver), visit.flagservice, 50.0),
            *(code, None, f"{visit.day} {clock(visit.second + 1200)}" if code else None),
            *(self._scheme(visit, number), _uploaded(visit)),
        )
        self._write_diagnoses(visit, number)
        self._write_labs(visit, number)
        for dose in visit.doses:
            self._write_dose(visit, number, day, dose)
        return str(number)

    def given_elsewhere(self, patient: Patient, code: str, day: date) -> None:
        """Add a dose that another hospital gave: a row of `visitepi` without a visit."""
        vaccine, given = jhcis.VACCINE_CODES[code], day.isoformat()
        self.add(
            "visitepi",
            *(self._hcode, None, self._hcode, patient.number, vaccine, given, None, None, None, OTHER_HOSPITAL, None),
        )

    def _closing_code(self, visit: Visit) -> str | None:
        if visit.rights is None:
            return f"EP{self.serial('auth'):010d}"
        return min((code for right in visit.rights if (code := right.auth_code or right.claim_code)), default=None)

    def _scheme(self, visit: Visit, number: int) -> str | None:
        """`main_inscl` of a visit: the one it sets; else that of the right, on every second visit."""
        if visit.main_inscl is not None:
            return visit.main_inscl
        scheme = jhcis.SCHEMES.get(visit.patient.pttype)
        return (scheme, None, scheme, "")[number % 4]

    def _write_diagnoses(self, visit: Visit, number: int) -> None:
        for code, dx_type in visit.diagnoses:
            if code[:1].isalpha():
                spelt = self._spelt(code)
                doctor = jhcis.username(visit.doctor)
                self.add("visitdiag", self._hcode, number, spelt, f"0{dx_type}", doctor, _uploaded(visit))

    def _spelt(self, code: str) -> str:
        """The diagnosis in one of the forms found in practice, in turn; other codes than ICD-10 stay as they are."""
        dotted = f"{code[:3]}.{code[3:]}" if _ICD10.fullmatch(code) else code
        return (code, dotted, dotted, jhcis.LOCAL_DIAGNOSES.get(code, dotted))[self.serial("visitdiag") % 4]

    def _write_labs(self, visit: Visit, number: int) -> None:
        for order in visit.orders:
            day = (visit.day + timedelta(days=order.days_late)).isoformat()
            # The table has no time of day; the later order has the higher number.
            place = 1 + sum(other.minutes < order.minutes for other in visit.orders)
            for item, result in order.results:
                self.add(
                    "visitlabchcyhembmsse",
                    *(self._hcode, number, self._hcode, visit.patient.number, day, place),
                    *(jhcis.LAB_CODES[item], *self._result(result)),
                )

    def _result(self, result: str | None) -> tuple[float | None, str | None]:
        """`labresultdigit` and `labresulttext` of a result; one of the two has it."""
        if result and _NUMBER.fullmatch(result) and self.serial("result") % 7:
            return float(result), None
        return None, result

    def _write_dose(self, visit: Visit, number: int, day: str, dose: Dose) -> None:
        pid, code = visit.patient.number, dose.code.strip()
        if code == "106" and visit.antenatal:
            code = jhcis.PREGNANCY_DT[pid % len(jhcis.PREGNANCY_DT)]
        self.add(
            "visitepi",
            *(self._hcode, number, self._hcode, pid, jhcis.VACCINE_CODES[code], day, dose.lot, dose.expiry),
            *(None, self._hcode, _uploaded(visit)),
        )


def _uploaded(visit: Visit) -> str:
    return f"{visit.day} 23:00:00"
