"""The tables a hospital fills once: rights, staff, lab items, vaccines and the code lists."""

from sandbox.his.database import Row

# Lab items, by the strength their NHSO code is known with. An item code is a key of `lab_items`.
HBA1C_BY_PRICE, CREATININE_BY_PRICE, POTASSIUM_BY_PRICE = 101, 102, 103
HBA1C_BY_SYSTEM, CREATININE_BY_SYSTEM, POTASSIUM_BY_SYSTEM = 111, 112, 113
HBA1C_BY_PROVIS, CREATININE_BY_PROVIS, POTASSIUM_BY_PROVIS = 121, 122, 123
PANEL_SODIUM, PANEL_POTASSIUM, PANEL_CHLORIDE, PANEL_CO2 = 131, 132, 133, 134
HBA1C_OF_THE_SITE = 141
CREATININE_OF_URINE = 142
GLUCOSE, CHOLESTEROL, HAEMOGLOBIN, WHITE_CELLS = 201, 202, 203, 204

HBA1C = (HBA1C_BY_PRICE, HBA1C_BY_SYSTEM, HBA1C_BY_PROVIS)
CREATININE = (CREATININE_BY_PRICE, CREATININE_BY_SYSTEM, CREATININE_BY_PROVIS)
POTASSIUM = (POTASSIUM_BY_PRICE, POTASSIUM_BY_SYSTEM, POTASSIUM_BY_PROVIS)

# item, name, unit, icode, NHSO price-list code of the icode, provis_labcode, system lab code
_LAB_ITEMS: tuple[tuple[int, str, str, str | None, str | None, str | None, int | None], ...] = (
    (HBA1C_BY_PRICE, "HbA1c", "%", "3000101", "32401", None, None),
    (CREATININE_BY_PRICE, "Creatinine", "mg/dL", "3000102", "32202", "0581902", 2),
    (POTASSIUM_BY_PRICE, "Potassium", "mmol/L", "3000103", "32103", None, None),
    (HBA1C_BY_SYSTEM, "HbA1c (HPLC)", "%", None, None, None, 1),
    (CREATININE_BY_SYSTEM, "Cr (enzymatic)", "mg/dL", "3000112", "", None, 2),
    (POTASSIUM_BY_SYSTEM, "K", "mmol/L", None, None, None, 3),
    (HBA1C_BY_PROVIS, "Hemoglobin A1c", "%", None, None, "0531601", None),
    (CREATININE_BY_PROVIS, "Creatinine (PCU)", "mg/dL", None, None, "0581902", None),
    (POTASSIUM_BY_PROVIS, "Potassium (PCU)", "mmol/L", None, None, "0511402", None),
    (PANEL_SODIUM, "Electrolyte: Na", "mmol/L", "3000130", "32001", None, None),
    (PANEL_POTASSIUM, "Electrolyte: K", "mmol/L", "3000130", "32001", None, 3),
    (PANEL_CHLORIDE, "Electrolyte: Cl", "mmol/L", "3000130", "32001", None, None),
    (PANEL_CO2, "Electrolyte: CO2", "mmol/L", "3000130", "32001", None, None),
    (HBA1C_OF_THE_SITE, "HbA1c (sent out)", "%", None, None, None, None),
    (CREATININE_OF_URINE, "Creatinine (urine)", "mg/dL", "3000142", "39999", "0581902", 2),
    (GLUCOSE, "FBS", "mg/dL", "3000201", "", None, None),
    (CHOLESTEROL, "Cholesterol", "mg/dL", "3000202", "", None, None),
    (HAEMOGLOBIN, "Hb", "g/dL", None, None, None, None),
    (WHITE_CELLS, "WBC", "10^3/uL", None, None, None, None),
)
LAB_ICODES: dict[int, str] = {item: icode for item, _, _, icode, *_ in _LAB_ITEMS if icode}

NURSES = ("0011", "0012", "0013")
DOCTORS = ("001", "002", "003")
NURSE_WITHOUT_LICENCE = "0091"
NURSE_WITHOUT_NAME = "0092"

INFLUENZA = "815"
UNMAPPED = ""
"""A vaccine of the hospital's own list that nobody gave an export code."""

# Export codes of each family's own vaccine list; the item's number is its place in the list, from 1.
_ORAL_POLIO = ("081", "082", "083", "084", "085")
_DTP_HB_HIB = ("D21", "D22", "D23")
FAMILIES: dict[str, tuple[str, ...]] = {
    "ovst": (
        *("010", "041", *_DTP_HB_HIB, *_ORAL_POLIO, "I11", "I12", "I13", "R11", "R12", "061", "073", "034", "035"),
        *("J11", "J12", "106", "P41", "401", INFLUENZA, UNMAPPED, "HPVG41", "HPVG42", "hpvc21"),
    ),
    "wbc": ("010", "041", *_DTP_HB_HIB, "081", "082", "083", "I11", "I12", "R11", "R12", "061", "J11", "401", "d21 "),
    "epi": ("034", "035", "084", "085", "073", "J11", "J12", UNMAPPED),
    "school": ("021", "022", "072", "086", "HPVG41", "HPVG42", "011"),
    "anc": ("", "106", "P41"),
}


def vaccine_item(family: str, code: str) -> int:
    """The number that `code` bears in the family's own vaccine list."""
    return FAMILIES[family].index(code) + 1


def lookup_rows(hcode: str, hospital_name: str) -> dict[str, list[Row]]:
    """The rows of every table that does not grow with the visits."""
    return {
        "opdconfig": [(hcode, hospital_name)],
        "pttype": [
            ("10", "บัตรทองไม่มี ท.", "UCS", "89", "0100", "Y"),
            ("11", "บัตรทองมี ท.", "UCS", "77", "0100", "Y"),
            ("12", "ผู้มีรายได้น้อย", "WEL", "71", "0100", "Y"),
            ("13", "ผู้พิการ", "DIS", "74", "0100", "Y"),
            ("20", "ข้าราชการ", "OFC", "02", "1100", "Y"),
            ("21", "อปท.", "LGO", "03", "1200", "Y"),
            ("30", "ประกันสังคม", "SSS", "04", "4200", "Y"),
            ("40", "ชำระเงินเอง", "", None, "9100", "Y"),
            ("50", "ประกันสังคมนอกเขต", "SSI", "05", "4200", "Y"),
        ],
        **_staff(),
        **_lab_items(),
        **_vaccines(),
        **_code_lists(),
    }


def _staff() -> dict[str, list[Row]]:
    return {
        "doctor": [
            ("001", "นพ.เกษม ตัวอย่าง", "ว.90001", None, "01", "Y"),
            ("002", "พญ.อรทัย ตัวอย่าง", "ว.90002", None, "01", "Y"),
            ("003", "นพ.ธวัช ตัวอย่าง", "ว.90003", None, "01", "Y"),
            ("0011", "พว.จินตนา ตัวอย่าง", "พ.9000011", None, "02", "Y"),
            ("0012", "พว.สุนีย์ ตัวอย่าง", "พ.9000012", None, "02", "Y"),
            ("0013", "พว.มณี ตัวอย่าง", "พ.9000013", None, "02", "Y"),
            (NURSE_WITHOUT_LICENCE, "พว.นวล ตัวอย่าง", "", None, "02", "Y"),
            (NURSE_WITHOUT_NAME, "", "พ.9000092", None, "02", "Y"),
        ]
    }


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
        "sys_lab_link": [*links, (4, GLUCOSE)],
    }


def _vaccines() -> dict[str, list[Row]]:
    def items(family: str) -> list[tuple[int, str, str | None]]:
        names = {INFLUENZA: "ไข้หวัดใหญ่", UNMAPPED: "ยังไม่จับคู่รหัส"}
        return [(n, names.get(code, f"วัคซีน {code}"), code or None) for n, code in enumerate(FAMILIES[family], start=1)]

    return {
        "person_vaccine": [(n, name, code, None, code, "N", None) for n, name, code in items("ovst")],
        "wbc_vaccine": [(n, name, code, 0, 60, code) for n, name, code in items("wbc")],
        "epi_vaccine": [*items("epi")],
        "student_vaccine": [*items("school")],
        "anc_service": [(1, "ตรวจครรภ์", None), *items("anc")[1:]],
    }


def _code_lists() -> dict[str, list[Row]]:
    marriage = ("โสด", "คู่", "หม้าย", "หย่า", "แยก", "สมณะ")
    work = ("ไม่มี", "เกษตรกร", "รับจ้าง", "ค้าขาย", "ข้าราชการ", "พนักงานบริษัท", "งานบ้าน", "นักเรียน")
    titles = ("นาย", "นาง", "น.ส.", "นางสาว", "ด.ช.", "เด็กชาย", "ด.ญ.", "เด็กหญิง", "พระ")
    return {
        "marrystatus": [
            *((str(n), name, str(n)) for n, name in enumerate(marriage, start=1)),
            ("8", "อื่น ๆ", None),
            ("9", "ไม่ทราบ", "9"),
        ],
        "occupation": [(f"{n:03d}", name, f"{n:04d}") for n, name in enumerate(work)],
        "nationality": [
            ("99", "ไทย", "099"),
            ("099", "ไทย (รหัสเดิม)", "99"),
            ("48", "เมียนมา", "048"),
            ("56", "ลาว", "056"),
            ("57", "กัมพูชา", "057"),
            ("00", "ไม่ระบุ", None),
        ],
        "pname": [(title, f"{n:03d}") for n, title in enumerate(titles, start=1)],
    }
