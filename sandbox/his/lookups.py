"""Lab items, staff, vaccines, rights and code lists: the same for every HIS."""

# Lab items (keys of `lab_items`), by the HOSxP table that gives their NHSO code, the most reliable first.
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

NURSES = ("0011", "0012", "0013")
DOCTORS = ("001", "002", "003")
NURSE_WITHOUT_LICENCE = "0091"
NURSE_WITHOUT_NAME = "0092"

INFLUENZA = "815"
UNMAPPED = ""
"""A vaccine of the hospital's own list without an export code."""

# Export codes of each family's vaccine list; an item's number is its position in the list, from 1.
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

RIGHTS: tuple[tuple[str, str, str, str | None, str], ...] = (
    ("10", "บัตรทองไม่มี ท.", "UCS", "89", "0100"),
    ("11", "บัตรทองมี ท.", "UCS", "77", "0100"),
    ("12", "ผู้มีรายได้น้อย", "WEL", "71", "0100"),
    ("13", "ผู้พิการ", "DIS", "74", "0100"),
    ("20", "ข้าราชการ", "OFC", "02", "1100"),
    ("21", "อปท.", "LGO", "03", "1200"),
    ("30", "ประกันสังคม", "SSS", "04", "4200"),
    ("40", "ชำระเงินเอง", "", None, "9100"),
    ("50", "ประกันสังคมนอกเขต", "SSI", "05", "4200"),
)
"""Right, name, scheme in claims, NHSO code, standard code."""

STAFF: tuple[tuple[str, str, str, str], ...] = (
    ("001", "นพ.เกษม ตัวอย่าง", "ว.90001", "01"),
    ("002", "พญ.อรทัย ตัวอย่าง", "ว.90002", "01"),
    ("003", "นพ.ธวัช ตัวอย่าง", "ว.90003", "01"),
    ("0011", "พว.จินตนา ตัวอย่าง", "พ.9000011", "02"),
    ("0012", "พว.สุนีย์ ตัวอย่าง", "พ.9000012", "02"),
    ("0013", "พว.มณี ตัวอย่าง", "พ.9000013", "02"),
    (NURSE_WITHOUT_LICENCE, "พว.นวล ตัวอย่าง", "", "02"),
    (NURSE_WITHOUT_NAME, "", "พ.9000092", "02"),
)
"""Code, name, licence, council (01 physicians, 02 nurses)."""

MARRIAGES = ("โสด", "คู่", "หม้าย", "หย่า", "แยก", "สมณะ")
WORK = ("ไม่มี", "เกษตรกร", "รับจ้าง", "ค้าขาย", "ข้าราชการ", "พนักงานบริษัท", "งานบ้าน", "นักเรียน")
TITLES = ("นาย", "นาง", "น.ส.", "นางสาว", "ด.ช.", "เด็กชาย", "ด.ญ.", "เด็กหญิง", "พระ")
"""Marital statuses numbered from 1, occupations from 0, titles from 1."""

OTHER_HOSPITAL = "11111"
