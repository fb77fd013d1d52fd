"""A small HOSxP hospital by hand: every trap of the reference stands in it once."""

from collections.abc import Mapping, Sequence
from datetime import date

import sqlalchemy as sa
from pydantic import SecretStr

from extract.contract import Wanted
from extract.settings import HisSettings
from sandbox.his.hosxp.tables import hosxp_tables

DAY = date(2026, 9, 21)
ALL = Wanted(
    icd10_prefixes=("E11", "I10", "I11", "I12", "I13", "I15"),
    first_time_icd10=("I10", "I11", "I12", "I13", "I15"),
    lab_codes=("32401", "32202", "32103"),
    vaccines=True,
)
ZERO = "0000-00-00"

Rows = Mapping[str, Sequence[Mapping[str, object]]]


def _visit(vn: str, hn: str, day: str = "2026-09-21", **more: object) -> dict[str, object]:
    clock = f"{vn[6:8]}:{vn[8:10]}:{vn[10:12]}"
    return {"vn": vn, "hn": hn, "vstdate": day, "vsttime": clock, "pttype": "10", **more}


def _diagnosis(number: int, vn: str, icd10: str, diagtype: str = "1", day: str = "2026-09-21") -> dict[str, object]:
    return {
        "ovst_diag_id": number, "vn": vn, "icd10": icd10, "diagtype": diagtype, "vstdate": day, "vsttime": "08:15:00"
    }  # fmt: skip


def _order(number: int, vn: str, reported: str | None = "2026-09-21", at: str | None = "10:00:00") -> dict[str, object]:
    return {
        "lab_order_number": number, "vn": vn, "order_date": "2026-09-21", "order_time": "09:05:00",
        "report_date": reported, "report_time": at,
    }  # fmt: skip


def _result(number: int, item: int, result: str | None, confirm: str = "Y") -> dict[str, object]:
    return {"lab_order_number": number, "lab_items_code": item, "lab_order_result": result, "confirm": confirm}


HOSPITAL: Rows = {
    "opdconfig": [{"hospitalcode": "10953", "hospitalname": "โรงพยาบาลตัวอย่าง"}],
    "pttype": [{"pttype": "10", "hipdata_code": "ucs"}, {"pttype": "20", "hipdata_code": "OFC"}],
    "nationality": [{"nationality": "99", "nhso_code": "099"}, {"nationality": "77", "nhso_code": None}],
    "marrystatus": [{"code": "2", "nhso_marriage_code": "2"}],
    "occupation": [{"occupation": "0001", "name": "เกษตรกร"}],
    "doctor": [{"code": "007", "name": "พว.มานี ตัวอย่าง", "licenseno": "4511111111"}],
    "patient": [
        {
            "hn": "000000001", "cid": "1-1037-02012-345", "pname": "นาย", "fname": " สมมติ ", "lname": "ตัวอย่าง",
            "birthday": "1960-05-01", "sex": "1", "marrystatus": "2", "nationality": "99", "occupation": "0001",
        },
        {"hn": "000000002", "pname": "นาง", "fname": "เธชเธก", "birthday": "2503-02-01", "sex": "2", "passport_no": "AA1"},
        {"hn": "000000003", "fname": "สอง", "birthday": ZERO, "sex": "2", "nationality": "77", "cid": ""},
        {"hn": "000000007", "fname": "เจ็ด", "birthday": "2024-05-01", "sex": "1", "nationality": "88"},
    ],
    "ovst": [
        _visit("690921080000", "000000001"),
        _visit("690921090000", "000000002"),
        _visit("690921100000", "000000003"),
        _visit("690921073000", "000000003"),  # the same person, earlier that day
        _visit("690101080000", "000000003", "2026-01-01"),
        _visit("680601080000", "000000003", "2025-06-01"),
        _visit("691001080000", "000000003", "2026-10-01"),  # later: says nothing
        _visit("690921100001", "000000005"),
        _visit("000000080000", "000000005", ZERO),  # on no day: says nothing
        _visit("690921100002", "000000006"),
        _visit("680921100002", "000000006", "2568-03-01"),  # an earlier visit kept in Buddhist years
        _visit("690921110000", "000000001"),  # diabetic, no lab
        _visit("690921120000", "000000001"),  # a lab, no diagnosis
        _visit("690921130000", "000000001", an="690000001"),
        _visit("690921140000", "000000007", pttype="20"),
        _visit("690921150000", "000000007", "2569-09-21"),
        _visit("690921160000", "000000099"),  # nobody in patient
        _visit("690921170000", "000000007"),  # only antenatal advice
        _visit("690921070000", "000000008"),
        _visit("690921180000", "000000008"),
        _visit("690922080000", "000000001", "2026-09-22"),
    ],
    "visit_pttype": [
        {"vn": "690921080000", "pttype": "10", "auth_code": "PP1234567890"},
        {"vn": "690921080000", "pttype": "11", "auth_code": " EP0987654321"},
        {"vn": "690921080000", "pttype": "20", "auth_code": ""},
        {"vn": "690921090000", "pttype": "10", "auth_code": None, "claim_code": "PP5555555555"},
    ],
    "ovstdiag": [
        _diagnosis(1, "690921080000", "E119"),
        _diagnosis(2, "690921080000", "z00.0", "4"),
        _diagnosis(3, "690921080000", "9955", "2"),
        _diagnosis(4, "690921090000", "I10"),
        _diagnosis(5, "690921100000", "I10"),
        _diagnosis(6, "690921073000", "I110"),
        _diagnosis(7, "690101080000", "I10", day="2026-01-01"),
        _diagnosis(8, "680601080000", "I119", day="2025-06-01"),
        _diagnosis(9, "691001080000", "I10", day="2026-10-01"),
        _diagnosis(10, "690921100001", "I10"),
        _diagnosis(11, "000000080000", "I10", day=ZERO),
        _diagnosis(12, "690921100002", "I10"),
        _diagnosis(13, "680921100002", "I10", day="2568-03-01"),
        _diagnosis(14, "690921110000", "E119"),
        _diagnosis(15, "690921120000", "J00"),
        _diagnosis(16, "690921130000", "e11.9"),
        _diagnosis(17, "690921070000", "I10"),
        _diagnosis(18, "690921180000", "I10"),
    ],
    "lab_items": [
        {"lab_items_code": 1, "lab_items_name": "HbA1c", "icode": "3000001"},
        {"lab_items_code": 2, "lab_items_name": "K", "icode": "3000002"},
        {"lab_items_code": 3, "lab_items_name": "Creat", "provis_labcode": "0581902", "icode": "3000003"},
        {"lab_items_code": 4, "lab_items_name": "Creat (urine)", "provis_labcode": "0581902", "icode": "3000004"},
        {"lab_items_code": 5, "lab_items_name": "HbA1c in name only"},
        {"lab_items_code": 6, "lab_items_name": "Two names", "provis_labcode": ""},
        {"lab_items_code": 7, "lab_items_name": "POCT"},
    ],
    "nondrugitems": [
        {"icode": "3000001", "nhso_adp_code": "32401"},
        {"icode": "3000002", "nhso_adp_code": "32001"},
        {"icode": "3000003", "nhso_adp_code": " "},
        {"icode": "3000004", "nhso_adp_code": "32299"},
    ],
    "sys_lab_code": [
        {"sys_lab_code_id": 1, "sys_lab_name": " Potasssium "},
        {"sys_lab_code_id": 2, "sys_lab_name": "Creatinine"},
    ],
    "sys_lab_link": [
        {"sys_lab_code_id": 1, "lab_items_code": 2},
        {"sys_lab_code_id": 1, "lab_items_code": 2},
        {"sys_lab_code_id": 1, "lab_items_code": 6},
        {"sys_lab_code_id": 2, "lab_items_code": 6},
    ],
    "lab_head": [
        _order(9, "690921080000", "2026-09-21", "10:00:00"),
        _order(10, "690921080000", "2026-09-21", "10:00:00"),
        _order(11, "690921080000", ZERO, None),
        _order(12, "690921080000"),
        _order(20, "690921090000"),
        _order(30, "690921100000"),
        _order(31, "690921100001"),
        _order(32, "690921100002"),
        _order(40, "690921120000"),
        _order(50, "690000001"),
        _order(60, "690921073000"),
        _order(70, "690921180000"),
    ],
    "lab_order": [
        _result(9, 1, "7.9"),
        _result(10, 1, " 7.2 % "),
        _result(11, 1, "<4.0"),
        _result(12, 1, "   "),
        _result(12, 5, "7.0"),
        _result(20, 2, "Hemolysis"),
        _result(20, 3, "1.01"),
        _result(20, 4, "99"),
        _result(20, 6, "1"),
        _result(20, 7, "0.8"),
        _result(20, 1, "6.5", confirm="N"),
        _result(30, 3, "0.9"),
        _result(31, 3, "0.9"),
        _result(32, 3, "0.9"),
        _result(40, 1, "6.0"),
        _result(50, 1, "8.1"),
        _result(60, 3, "0.9"),
        _result(70, 3, "0.9"),
    ],
    "person_vaccine": [
        {"person_vaccine_id": 1, "vaccine_name": "dT", "export_vaccine_code": "106"},
        {"person_vaccine_id": 2, "vaccine_name": "ไม่จับคู่", "export_vaccine_code": None},
    ],
    "ovst_vaccine": [
        {
            "ovst_vaccine_id": 1, "vn": "690921140000", "person_vaccine_id": 1, "vaccine_lot_no": " L1 ", "dose_qty": 1,
            "expire_date": "2027-01-31", "doctor_code": "007", "immunization_datetime": "2026-09-21 14:25:10",
        },
        {"ovst_vaccine_id": 2, "vn": "690921140000", "person_vaccine_id": 2, "expire_date": ZERO, "doctor_code": "nobody"},
        {"ovst_vaccine_id": 3, "vn": "690921150000", "person_vaccine_id": 1},
        {"ovst_vaccine_id": 4, "vn": "690921160000", "person_vaccine_id": 1},
        {"ovst_vaccine_id": 5, "vn": "690922080000", "person_vaccine_id": 1},
    ],
    "person_wbc_service": [
        {"person_wbc_service_id": 1, "person_wbc_id": 1, "vn": "690921140000", "service_date": "2026-09-19"}
    ],
    "person_wbc_vaccine_detail": [
        {
            "person_wbc_vaccine_detail_id": 1, "person_wbc_service_id": 1, "wbc_vaccine_id": 1, "vaccine_lotno": "L2",
            "vaccine_expire_date": "2027-02-28", "doctor_code": "007",
        }
    ],
    "wbc_vaccine": [{"wbc_vaccine_id": 1, "wbc_vaccine_name": "บาดทะยัก", "export_vaccine_code": "p41"}],
    "person_epi_vaccine": [{"person_epi_vaccine_id": 1, "vn": "690921140000"}],
    "person_epi_vaccine_list": [{"person_epi_vaccine_id": 1, "epi_vaccine_id": 1, "vaccine_lotno": "L3"}],
    "epi_vaccine": [{"epi_vaccine_id": 1, "epi_vaccine_name": "MMR", "export_vaccine_code": "061"}],
    "village_student_vaccine": [{"village_student_vaccine_id": 1, "vn": "690921140000"}],
    "village_student_vaccine_list": [{"village_student_vaccine_id": 1, "student_vaccine_id": 1, "vaccine_lotno": "L4"}],
    "student_vaccine": [{"student_vaccine_id": 1, "student_vaccine_name": "dTS", "export_vaccine_code": "901"}],
    "person_anc": [{"person_anc_id": 1, "preg_no": 2}],
    "person_anc_service": [
        {"person_anc_service_id": 1, "person_anc_id": 1, "vn": "690921140000", "pa_week": 22},
        {"person_anc_service_id": 2, "person_anc_id": 1, "vn": "690921170000", "pa_week": 22},
    ],
    "person_anc_service_detail": [
        {"person_anc_service_id": 1, "anc_service_id": 1, "vaccine_lotno": "L5", "anc_doctor_code": "007"},
        {"person_anc_service_id": 2, "anc_service_id": 2, "vaccine_lotno": ""},
    ],
    "anc_service": [
        {"anc_service_id": 1, "anc_service_name": "dTANC", "export_vaccine_code": "203"},
        {"anc_service_id": 2, "anc_service_name": "คำแนะนำ", "export_vaccine_code": None},
    ],
    "ovst_nhso_eligible": [
        {"ovst_nhso_eligible_id": 1, "vn": "690921130000", "claim_transaction_uid": ""},
        {"ovst_nhso_eligible_id": 2, "vn": "690921130000", "claim_transaction_uid": "uid-visit"},
    ],
    "ovst_vaccine_eligible": [
        {"ovst_vaccine_eligible_id": 1, "ovst_vaccine_id": 4, "claim_transaction_uid": "uid-dose"},
        {"ovst_vaccine_eligible_id": 2, "ovst_vaccine_id": 3, "claim_transaction_uid": None},
    ],
}  # fmt: skip


def fill(url: str, rows: Rows = HOSPITAL, without: Sequence[str] = ()) -> None:
    """Makes the HOSxP tables and writes these rows as a HIS would; `without` names tables and columns not to make."""
    connect = {"sql_mode": ""} if "mysql" in url else {}
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=connect)
    metadata = hosxp_tables()
    metadata.create_all(engine, tables=[table for table in metadata.tables.values() if table.name not in without])
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    with engine.begin() as connection:
        for name in without:
            table, _, column = name.partition(".")
            if column:
                connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
        for table, records in rows.items():
            for record in records if table not in without else ():
                there = {name: value for name, value in record.items() if f"{table}.{name}" not in without}
                if engine.dialect.name == "postgresql":
                    there = {name: "1899-12-30" if value == ZERO else value for name, value in there.items()}
                marks = ", ".join([mark] * len(there))
                connection.exec_driver_sql(
                    f"INSERT INTO {table} ({', '.join(there)}) VALUES ({marks})", tuple(there.values())
                )
    engine.dispose()


def settings_for(url: str, **more: object) -> HisSettings:
    """Settings that differ from the defaults in the address and what is named."""
    return HisSettings.model_validate({"url": SecretStr(url), **more})
