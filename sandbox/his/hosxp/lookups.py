"""The rows of HOSxP that do not depend on visits: rights, staff, lab items, vaccines and code lists."""

from sandbox.his import lookups
from sandbox.his.database import Row

# item, name, unit, icode, NHSO price-list code of the icode, provis_labcode, system lab code
_LAB_ITEMS: tuple[tuple[int, str, str, str | None, str | None, str | None, int | None], ...] = (
    (lookups.HBA1C_BY_PRICE, "HbA1c", "%", "3000101", "32401", None, None),
    (lookups.CREATININE_BY_PRICE, "Creatinine", "mg/dL", "3000102", "32202", "0581902", 2),
    (lookups.POTASSIUM_BY_PRICE, "Potassium", "mmol/L", "3000103", "32103", None, None),
    (lookups.HBA1C_BY_SYSTEM, "HbA1c (HPLC)", "%", None, None, None, 1),
    (lookups.CREATININE_BY_SYSTEM, "Cr (enzymatic)", "mg/dL", "3000112", "", None, 2),
    (lookups.POTASSIUM_BY_SYSTEM, "K", "mmol/L", None, None, None, 3),
    (lookups.HBA1C_BY_PROVIS, "Hemoglobin A1c", "%", None, None, "0531601", None),
    (lookups.CREATININE_BY_PROVIS, "Creatinine (PCU)", "mg/dL", None, None, "0581902", None),
    (lookups.POTASSIUM_BY_PROVIS, "Potassium (PCU)", "mmol/L", None, None, "0511402", None),
    (lookups.PANEL_SODIUM, "Electrolyte: Na", "mmol/L", "3000130", "32001", None, None),
    (lookups.PANEL_POTASSIUM, "Electrolyte: K", "mmol/L", "3000130", "32001", None, 3),
    (lookups.PANEL_CHLORIDE, "Electrolyte: Cl", "mmol/L", "3000130", "32001", None, None),
    (lookups.PANEL_CO2, "Electrolyte: CO2", "mmol/L", "3000130", "32001", None, None),
    (lookups.HBA1C_OF_THE_SITE, "HbA1c (sent out)", "%", None, None, None, None),
    (lookups.CREATININE_OF_URINE, "Creatinine (urine)", "mg/dL", "3000142", "39999", "0581902", 2),
    (lookups.GLUCOSE, "FBS", "mg/dL", "3000201", "", None, None),
    (lookups.CHOLESTEROL, "Cholesterol", "mg/dL", "3000202", "", None, None),
    (lookups.HAEMOGLOBIN, "Hb", "g/dL", None, None, None, None),
    (lookups.WHITE_CELLS, "WBC", "10^3/uL", None, None, None, None),
)
LAB_ICODES: dict[int, str] = {item: icode for item, _, _, icode, *_ in _LAB_ITEMS if icode}


def vaccine_item(family: str, code: str) -> int:
    """The number of `code` in the family's vaccine list."""
    return lookups.FAMILIES[family].index(code) + 1


def lookup_rows(hcode: str, hospital_name: str) -> dict[str, list[Row]]:
    """The rows of all tables that do not depend on visits."""
    return {
        "opdconfig": [(hcode, hospital_name)],
        "pttype": [(*right, "Y") for right in lookups.RIGHTS],
        **_staff(),
        **_lab_items(),
        **_vaccines(),
        **_code_lists(),
    }


def _staff() -> dict[str, list[Row]]:
    return {"doctor": [(code, name, licence, None, council, "Y") for code, name, licence, council in lookups.STAFF]}


def _lab_items() -> dict[str, list[Row]]:
    prices = {icode: (name, adp) for _, name, _, icode, adp, *_ in _LAB_ITEMS if icode}
    links: list[Row] = [(system, item) for item, *_, system in _LAB_ITEMS if system]
    drugs: list[Row] = [("1000001", "Metformin 500 mg", None), ("1000002", "Amlodipine 5 mg", None)]
    return {
        "lab_items": [
            (item, name, unit, icode, provis, None, "Y") for item, name, unit, icode, _, provis, _ in _LAB_ITEMS
        ],
        "nondrugitems": [(icode, name, adp) for icode, (name, adp) in prices.items()],
        "s_drugitems": [*drugs, *((icode, name, adp) for icode, (name, adp) in prices.items())],
        "sys_lab_code": [(1, "HbA1c"), (2, "Creatinine"), (3, " potasssium"), (4, "FBS")],
        "sys_lab_link": [*links, (4, lookups.GLUCOSE)],
    }


def _vaccines() -> dict[str, list[Row]]:
    def items(family: str) -> list[tuple[int, str, str | None]]:
        names = {lookups.INFLUENZA: "ไข้หวัดใหญ่", lookups.UNMAPPED: "ยังไม่จับคู่รหัส"}
        return [
            (n, names.get(code, f"วัคซีน {code}"), code or None)
            for n, code in enumerate(lookups.FAMILIES[family], start=1)
        ]

    return {
        "person_vaccine": [(n, name, code, None, code, "N", None) for n, name, code in items("ovst")],
        "wbc_vaccine": [(n, name, code, 0, 60, code) for n, name, code in items("wbc")],
        "epi_vaccine": [*items("epi")],
        "student_vaccine": [*items("school")],
        "anc_service": [(1, "ตรวจครรภ์", None), *items("anc")[1:]],
    }


def _code_lists() -> dict[str, list[Row]]:
    return {
        "marrystatus": [
            *((str(n), name, str(n)) for n, name in enumerate(lookups.MARRIAGES, start=1)),
            ("8", "อื่น ๆ", None),
            ("9", "ไม่ทราบ", "9"),
        ],
        "occupation": [(f"{n:03d}", name, f"{n:04d}") for n, name in enumerate(lookups.WORK)],
        "nationality": [
            ("99", "ไทย", "099"),
            ("099", "ไทย (รหัสเดิม)", "99"),
            ("48", "เมียนมา", "048"),
            ("56", "ลาว", "056"),
            ("57", "กัมพูชา", "057"),
            ("00", "ไม่ระบุ", None),
        ],
        "pname": [(title, f"{n:03d}") for n, title in enumerate(lookups.TITLES, start=1)],
    }
