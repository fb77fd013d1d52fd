"""The rows of JHCIS that do not depend on visits: rights, staff, labs, vaccines and code lists."""

from sandbox.his import lookups
from sandbox.his.database import Row

LAB_CODES: dict[int, str] = {
    **dict.fromkeys(lookups.HBA1C, "CH99"),
    **dict.fromkeys(lookups.CREATININE, "CH09"),
    **dict.fromkeys((*lookups.POTASSIUM, lookups.PANEL_POTASSIUM), "CH19"),
    lookups.PANEL_SODIUM: "CH18",
    lookups.PANEL_CHLORIDE: "CH20",
    lookups.PANEL_CO2: "CH21",
    lookups.HBA1C_OF_THE_SITE: "LA01",
    lookups.CREATININE_OF_URINE: "LU01",
    lookups.GLUCOSE: "CH01",
    lookups.CHOLESTEROL: "CH03",
    lookups.HAEMOGLOBIN: "HM01",
    lookups.WHITE_CELLS: "HM02",
}
"""`labcode` by lab item. Codes that begin with L are the health centre's own."""

_LAB_NAMES = {
    "CH99": "HbA1c", "CH09": "Creatinine", "CH19": "Potassium", "CH18": "Sodium", "CH20": "Chloride", "CH21": "CO2",
    "LA01": "HbA1c (sent out)", "LU01": "Creatinine (urine)", "CH01": "FBS", "CH03": "Cholesterol", "HM01": "Hb",
    "HM02": "WBC",
}  # fmt: skip

PREGNANCY_DT = ("201", "202", "203", "204", "205")
"""dT in pregnancy, by dose; claims need 106."""

_VACCINES = (*sorted({code.strip() for codes in lookups.FAMILIES.values() for code in codes}), *PREGNANCY_DT)
VACCINE_CODES: dict[str, str] = {code: f"VAC{number:02d}" for number, code in enumerate(_VACCINES, start=1)}
"""The health centre's own vaccine code by export code."""

TITLE_CODES: dict[str, str] = {title: f"{number:03d}" for number, title in enumerate(lookups.TITLES, start=1)}
SCHEMES: dict[str, str] = {right: scheme for right, _, scheme, *_ in lookups.RIGHTS}
_RIGHT_GROUPS = {"UCS": "3", "WEL": "4", "DIS": "4", "OFC": "1", "LGO": "7", "SSS": "2", "SSI": "2"}

LOCAL_DIABETES, LOCAL_HYPERTENSION, LOCAL_SUSPICION = "DM01", "HT01", "E11.9A"
LOCAL_DIAGNOSES: dict[str, str] = {"E119": LOCAL_DIABETES, "I10": LOCAL_HYPERTENSION}
"""The health centre's own code by diagnosis; `cdisease.mapdisease` maps it back."""

_DIAGNOSES = (
    *("E11.2", "E11.4", "E11.6", "E11.9", "E10.9", "E78.5", "I10", "I11.9", "I12.9", "I13.9", "I15.0", "J00", "J02.9"),
    *("K30", "M54.5", "R51", "A09.9", "L30.9", "N39.0", "K29.7", "Z00.0", "Z23.2", "Z23.5", "Z25.1", "Z27.1", "Z34.8"),
)


def username(code: str) -> str:
    """The user name of the staff member with this code."""
    return f"u{code}"


def lookup_rows(hcode: str, hospital_name: str) -> dict[str, list[Row]]:
    """The rows of all tables that do not depend on visits.

    `office` also holds the row of JHCIS itself (0000x), and `user` the staff of another centre with the same logins.
    """
    return {
        "office": [("0000x",), (hcode,)],
        "chospital": [(hcode, hospital_name), (lookups.OTHER_HOSPITAL, "โรงพยาบาลอื่น")],
        "cright": [(right, name, _RIGHT_GROUPS.get(scheme, "9")) for right, name, scheme, *_ in lookups.RIGHTS],
        "user": [
            *((hcode, username(code), None, name, None, licence, None) for code, name, licence, _ in lookups.STAFF),
            *(
                (lookups.OTHER_HOSPITAL, username(code), None, "พว.อื่น ตัวอย่าง", None, "พ.1", None)
                for code in lookups.NURSES
            ),
        ],
        "clabchcyhembmsse": [*_LAB_NAMES.items()],
        "cdrug": [
            ("PARA500", "Paracetamol 500 mg", "01", None, None),
            # The column is too narrow for the codes of HPV: only a site's own map can have them.
            *(
                (local, f"วัคซีน {code}", "05", code if 0 < len(code) <= 3 else None, None)
                for code, local in VACCINE_CODES.items()
            ),
        ],
        "cdisease": [
            *((code, f"โรค {code}", None if code < "I" else "") for code in _DIAGNOSES),
            (LOCAL_DIABETES, "เบาหวาน (คลินิก)", "E11.9"),
            (LOCAL_HYPERTENSION, "ความดันโลหิตสูง (คลินิก)", "I10"),
            (LOCAL_SUSPICION, "สงสัยเบาหวาน", "R73.0"),
        ],
        **_code_lists(),
    }


def _code_lists() -> dict[str, list[Row]]:
    return {
        "ctitle": [(code, title) for title, code in TITLE_CODES.items()],
        "cnation": [("99", "ไทย"), ("099", "ไทย"), ("48", "เมียนมา"), ("56", "ลาว"), ("57", "กัมพูชา")],
        "coccupa": [(f"{number:03d}", name) for number, name in enumerate(lookups.WORK)],
        "cstatus": [
            *((str(number), name) for number, name in enumerate(lookups.MARRIAGES, start=1)),
            ("8", "อื่น ๆ"),
            ("9", "ไม่ทราบ"),
        ],
    }
