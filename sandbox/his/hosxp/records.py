"""How people and visits become rows of HOSxP."""

from datetime import date, timedelta

from sandbox.his.hosxp.lookups import LAB_ICODES, vaccine_item
from sandbox.his.lookups import OTHER_HOSPITAL
from sandbox.his.people import Patient
from sandbox.his.visits import Antenatal, Dose, LabOrder, Records, Right, Visit, clock


class HosxpRecords(Records):
    """People in `patient` and `person`, visits in `ovst` and the tables around it."""

    def register(self, patient: Patient) -> None:
        """Add a person to `patient` (the hospital) and `person` (the community)."""
        p = patient
        self.add(
            "patient",
            *(p.hn, p.cid, p.title, p.fname, p.lname, p.born, p.sex, p.marriage),
            *(p.nationality, p.nationality, p.occupation, p.passport, "N", None),
        )
        cid = "".join(c for c in p.cid or "" if c.isdigit())[:13] or None
        self.add("person", p.number, cid, p.title, p.fname, p.lname, p.born, p.sex, p.marriage, p.nationality, p.hn)

    def visit(self, visit: Visit) -> str:
        """Add a visit; returns its VN."""
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
            self.add("ovst_nhso_eligible", eligible, vn, 1, visit.his_uid, None, None)
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
        """Add the pregnancy and its service at this visit; returns the service's number."""
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
                claimed = self.serial("vaccine_eligible")
                self.add("ovst_vaccine_eligible", claimed, eligible, number, dose.his_uid, None, None)
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

    def given_elsewhere(self, patient: Patient, code: str, day: date) -> None:
        """Add a dose that another hospital gave to `person_vaccine_elsewhere`."""
        self.add(
            "person_vaccine_elsewhere", patient.number, vaccine_item("ovst", code), day.isoformat(), OTHER_HOSPITAL
        )


# The tables of the child health book and of the school have the same columns.
_REGISTERS = {
    "epi": ("person_epi", "person_epi_vaccine_list"),
    "school": ("village_student", "village_student_vaccine_list"),
}
