"""A small hospital whose records a test edits as its staff would, and what it says is claimable: read from the records alone.

The records live in Python; every edit is written into the tables of a HIS. What a claim must say is worked out here from the
records, without the program.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import Any, NamedTuple

import sqlalchemy as sa
from workbook_samples import cid, dose_row, lab_row

from extract.workbook.layout import SheetName
from extract.workbook.rows import Value
from sandbox.his.hosxp.tables import hosxp_tables
from sandbox.his.jhcis.tables import jhcis_tables

PEOPLE = (1, 2, 3)
HOSPITAL_NAME = "โรงพยาบาลตัวอย่าง"
HBA1C, CREATININE = "32401", "32202"
# Of the site's own list; MOPH Claim knows no claim of it, and refuses the data.
NOT_OF_THE_SERVER = "815"
SERVICES = {"041": "epi", "042": "epi", NOT_OF_THE_SERVER: "epi", "106": "dt"}

Key = tuple[str, str, str]
"""Kind, visit number and vaccine code (or empty): a claim within its facility."""
Table = Mapping[str, Any]


@dataclass(frozen=True)
class Visit:
    """A visit as the hospital has it.

    Args:
        vn: Its number, digits.
        person: Whose it is.
        day: Its day.
        icd10: Its diagnoses.
        results: Lab results by code; text.
        dose: Code of the vaccine given; empty: none.
        lot: The vaccine's lot.
        right: UCS or OFC.
        closed: Whether it has a closing code.
        his_uid: The number under which the HIS has claimed it itself.
    """

    vn: str
    person: int
    day: date
    icd10: tuple[str, ...] = ()
    results: Mapping[str, str] = field(default_factory=dict)
    dose: str = ""
    lot: str = "L1"
    right: str = "UCS"
    closed: bool = True
    his_uid: str = ""

    @property
    def at(self) -> time:
        """Its time of day: no two visits of a day have the same."""
        return time(8, int(self.vn) % 60)


class Said(NamedTuple):
    """What a claim says, as far as an edit can change it."""

    pid: str
    hn: str
    minute: str
    icd10: tuple[str, ...]
    results: tuple[tuple[str, str], ...]
    dose: tuple[str, str] | None

    @classmethod
    def of(cls, payload: str) -> "Said":
        """What a payload says."""
        said = json.loads(payload)
        doses = [(dose["code"], dose["lot_number"]) for dose in said.get("vaccine", ())]
        return cls(
            said["pid"],
            said["hn"],
            said["visit_date_time"],
            tuple(sorted(diagnosis["icd10"] for diagnosis in said.get("diagnosis", ()))),
            tuple(sorted((lab["code"], lab["lab_result"]) for lab in said.get("claim_services", ()))),
            doses[0] if doses else None,
        )


class Hospital:
    """The visits of a hospital, and its HIS. Subclasses know the tables.

    Args:
        url: An empty database, or the one of a former hospital of this class.
    """

    kind: str
    metadata: sa.MetaData
    number: str
    """The column of a visit's number."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.visits: dict[str, Visit] = {}
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        self.metadata.create_all(self._engine)

    def open(self, hcode: str) -> None:
        """Begin anew, without a visit, under this code."""
        self.visits.clear()
        with self._engine.begin() as connection:
            for table in self.metadata.tables.values():
                connection.execute(table.delete())
            self._insert(connection, self.lists(hcode))

    def put(self, visit: Visit) -> None:
        """Write a visit, in the place of the one of its number."""
        self.remove(visit.vn)
        self.visits[visit.vn] = visit
        with self._engine.begin() as connection:
            self._insert(connection, self.rows(visit))

    def remove(self, vn: str) -> None:
        """Delete a visit with all that hangs on it, as HOSxP does."""
        self.visits.pop(vn, None)
        with self._engine.begin() as connection:
            for table in self.metadata.tables.values():
                column = self.owner(table)
                if column is not None:
                    number = int(vn) if isinstance(column.type, sa.Integer) else vn
                    connection.execute(table.delete().where(column == number))

    def owner(self, table: sa.Table) -> "sa.Column[Any] | None":
        """The column by which a row belongs to a visit."""
        return table.columns.get(self.number)

    def hn(self, person: int) -> str:
        """The person's number at the hospital."""
        raise NotImplementedError

    def lists(self, hcode: str) -> dict[str, list[Table]]:
        """The rows that hang on no visit."""
        raise NotImplementedError

    def rows(self, visit: Visit) -> dict[str, list[Table]]:
        """The rows of a visit."""
        raise NotImplementedError

    def records(self) -> dict[Key, Said | None]:
        """Every record that is to become a claim, and what it must say; None: it cannot go as it is, and is to be listed."""
        return {key: said for visit in self.visits.values() for key, said in self.records_of(visit)}

    def records_of(self, visit: Visit) -> Iterator[tuple[Key, Said | None]]:
        """Those of one visit."""
        if visit.his_uid:
            return
        if visit.right == "UCS" and "E119" in visit.icd10 and HBA1C in visit.results:
            yield ("dm", visit.vn, ""), self._said(visit, HBA1C)
        if visit.right == "UCS" and "I10" in visit.icd10 and CREATININE in visit.results:
            new = not any(
                other.person == visit.person and other.day < visit.day and "I10" in other.icd10
                for other in self.visits.values()
            )
            yield ("ht", visit.vn, ""), self._said(visit, CREATININE) if new else None
        if visit.dose:
            yield (SERVICES[visit.dose], visit.vn, visit.dose), self._said(visit) if visit.lot else None

    def _said(self, visit: Visit, lab: str = "") -> Said | None:
        if lab and not visit.results[lab].replace(".", "").isdigit():
            return None
        return Said(
            cid(visit.person),
            self.hn(visit.person),
            f"{visit.day} {visit.at:%H:%M}",
            tuple(sorted(visit.icd10)),
            ((lab, visit.results[lab]),) if lab else (),
            None if lab else (visit.dose, visit.lot),
        )

    def sheets(self, visit: Visit) -> dict[SheetName, list[dict[str, Value]]]:
        """The visit's records as an officer types them into a workbook."""
        of_visit: dict[str, Value] = {
            "vn": visit.vn, "hn": self.hn(visit.person), "cid": cid(visit.person), "visit_date": visit.day,
            "visit_time": f"{visit.at:%H:%M}", "dx1": visit.icd10[0] if visit.icd10 else "",
        }  # fmt: skip
        sheets: dict[SheetName, list[dict[str, Value]]] = {}
        if visit.results:
            shared = of_visit | {"scheme": visit.right, "dx2": ", ".join(visit.icd10[1:])}
            sheets["dmht"] = [
                lab_row(visit.person, **shared | {"lab_code": code, "result": text})
                for code, text in visit.results.items()
            ]
        if visit.dose:
            sheet: SheetName = "dt" if SERVICES[visit.dose] == "dt" else "epi"
            del of_visit["dx1"]
            sheets[sheet] = [dose_row(visit.person, **of_visit | {"vaccine_code": visit.dose, "lot_number": visit.lot})]
        return sheets

    def _insert(self, connection: sa.Connection, rows: Mapping[str, list[Table]]) -> None:
        for table, some in rows.items():
            if some:
                connection.execute(self.metadata.tables[table].insert(), some)


def _birth(person: int) -> date:
    return date(1970, 2, person)


class Hosxp(Hospital):
    """A hospital with HOSxP."""

    kind = "hosxp"
    metadata = hosxp_tables()
    number = "vn"

    def owner(self, table: sa.Table) -> "sa.Column[Any] | None":
        return table.columns["lab_order_number"] if table.name == "lab_order" else super().owner(table)

    def hn(self, person: int) -> str:
        return f"{person:09d}"

    def lists(self, hcode: str) -> dict[str, list[Table]]:
        labs = enumerate((HBA1C, CREATININE), start=1)
        items = [{"lab_items_code": n, "lab_items_name": code, "icode": code} for n, code in labs]
        vaccines = enumerate(SERVICES, start=1)
        return {
            "opdconfig": [{"hospitalcode": hcode, "hospitalname": HOSPITAL_NAME}],
            "pttype": [{"pttype": right[:2], "hipdata_code": right} for right in ("UCS", "OFC")],
            "nationality": [{"nationality": "99", "nhso_code": "099"}],
            "marrystatus": [{"code": "2", "nhso_marriage_code": "2"}],
            "doctor": [{"code": "007", "name": "พยาบาล ใจดี", "licenseno": "4511111111"}],
            "patient": [
                {
                    "hn": self.hn(person), "cid": cid(person), "pname": "นาง", "fname": "สมหญิง", "lname": "ใจดี", "sex": "2",
                    "birthday": _birth(person), "marrystatus": "2", "nationality": "99",
                }
                for person in PEOPLE
            ],
            "lab_items": items,
            "nondrugitems": [{"icode": item["icode"], "nhso_adp_code": item["icode"]} for item in items],
            "person_vaccine": [
                {"person_vaccine_id": n, "vaccine_name": code, "export_vaccine_code": code} for n, code in vaccines
            ],
        }  # fmt: skip

    def rows(self, visit: Visit) -> dict[str, list[Table]]:
        vn, number, of_visit = visit.vn, int(visit.vn), {"vn": visit.vn, "hn": self.hn(visit.person)}
        items = {HBA1C: 1, CREATININE: 2}
        when = {"vstdate": visit.day, "vsttime": visit.at}
        return {
            "ovst": [of_visit | when | {"pttype": visit.right[:2]}],
            "visit_pttype": [{"vn": vn, "pttype": visit.right[:2], "auth_code": f"EP{vn}"}] if visit.closed else [],
            "ovstdiag": [
                of_visit | when | {"ovst_diag_id": 10 * number + n, "icd10": code, "diagtype": "1" if n == 0 else "2"}
                for n, code in enumerate(visit.icd10)
            ],
            "lab_head": [
                of_visit
                | {"lab_order_number": number, "order_date": visit.day, "order_time": visit.at}
                | {"report_date": visit.day, "report_time": visit.at}
            ],
            "lab_order": [
                {"lab_order_number": number, "lab_items_code": items[code], "lab_order_result": text, "confirm": "Y"}
                for code, text in visit.results.items()
            ],
            "ovst_vaccine": [
                {
                    "ovst_vaccine_id": number, "vn": vn, "person_vaccine_id": [*SERVICES].index(visit.dose) + 1,
                    "vaccine_lot_no": visit.lot, "expire_date": date(2035, 1, 31), "dose_qty": 1, "doctor_code": "007",
                }
            ] if visit.dose else [],
            "ovst_nhso_eligible": [
                {"ovst_nhso_eligible_id": number, "vn": vn, "claim_transaction_uid": visit.his_uid}
            ] if visit.his_uid else [],
        }  # fmt: skip


class Jhcis(Hospital):
    """A health centre with JHCIS, which claims nothing itself."""

    kind = "jhcis"
    metadata = jhcis_tables()
    number = "visitno"

    def open(self, hcode: str) -> None:
        self._hcode = hcode
        super().open(hcode)

    def put(self, visit: Visit) -> None:
        super().put(replace(visit, his_uid=""))

    def hn(self, person: int) -> str:
        return str(person)

    def lists(self, hcode: str) -> dict[str, list[Table]]:
        return {
            "office": [{"offid": hcode}],
            "chospital": [{"hoscode": hcode, "hosname": HOSPITAL_NAME}],
            "cright": [{"rightcode": "UCS", "rightgroup": "3"}, {"rightcode": "OFC", "rightgroup": "1"}],
            "ctitle": [{"titlecode": "005", "titlename": "นาง"}],
            "cnation": [{"nationcode": "099", "nationname": "ไทย"}],
            "cstatus": [{"statuscode": "2", "statusname": "คู่"}],
            "user": [{"pcucode": hcode, "username": "u7", "fullname": "พยาบาล ใจดี", "noofoccupation": "4511111111"}],
            "cdrug": [{"drugcode": code, "drugtype": "05", "files18epi": code} for code in SERVICES],
            "person": [
                {
                    "pcucodeperson": hcode, "pid": person, "idcard": cid(person), "prename": "005", "fname": "สมหญิง",
                    "lname": "ใจดี", "birth": _birth(person), "sex": "2", "marystatus": "2", "nation": "099",
                }
                for person in PEOPLE
            ],
        }  # fmt: skip

    def rows(self, visit: Visit) -> dict[str, list[Table]]:
        of_visit = {"pcucode": self._hcode, "visitno": int(visit.vn)}
        of_person = {"pcucodeperson": self._hcode, "pid": visit.person}
        labs = {HBA1C: "CH99", CREATININE: "CH09"}
        return {
            "visit": [
                of_visit
                | of_person
                | {"visitdate": visit.day, "timestart": visit.at, "rightcode": visit.right, "username": "u7"}
                | {"claimcode_nhso": f"EP{visit.vn}" if visit.closed else None}
            ],
            "visitdiag": [
                of_visit | {"diagcode": code, "dxtype": "01" if n == 0 else "02"} for n, code in enumerate(visit.icd10)
            ],
            "visitlabchcyhembmsse": [
                of_visit | of_person | {"datecheck": visit.day, "seqonday": n, "labcode": labs[code], "labresulttext": text}
                for n, (code, text) in enumerate(visit.results.items(), start=1)
            ],
            "visitepi": [
                of_visit
                | of_person
                | {"vaccinecode": visit.dose, "dateepi": visit.day, "lotno": visit.lot}
                | {"datevacineexpire": date(2035, 1, 31), "hosservice": self._hcode}
            ] if visit.dose else [],
        }  # fmt: skip
