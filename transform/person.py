"""The person of a claim: identity number, names, birth, sex, nationality, marital status. No value is made up."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from core.messages import Message
from transform.codes import CodesOn
from transform.dates import age_years, day_column, is_buddhist
from transform.rule import Finding, Mask, Rule
from transform.sources import API, DATABASES
from transform.text import is_blank, is_unreadable

PLACEHOLDER = r"[0-9]([0-9])\1{10}[0-9]|123456789012[0-9]"
"""Numbers entered for people without one: the second to twelfth digit all the same, or counting up."""

MEND = Message("กรุณาแก้ทะเบียนผู้ป่วยใน HIS", "Mend the patient's record in the HIS.")
CARD = Message("กรุณาตรวจบัตรประชาชนแล้วแก้ใน HIS", "Check the identity card and mend the patient's record in the HIS.")
CARD_HERE = Message(
    "กรุณาตรวจบัตรประชาชน แก้ให้ถูกต้อง แล้วนำเข้าใหม่", "Check the identity card, mend the number, and import it again."
)

CID_MISSING = Rule(
    "person.cid_missing",
    "error",
    "visits.cid",
    Message("ไม่มีเลขประจำตัวประชาชน", "The identity number is missing."),
    CARD,
    API,
    in_workbook=CARD_HERE,
)
PASSPORT_ONLY = Rule(
    "person.passport_only",
    "error",
    "visits.cid",
    Message("มีเฉพาะเลขหนังสือเดินทาง ไม่มีเลขประจำตัวประชาชน", "There is a passport number but no identity number."),
    Message("เคลมนี้ใช้ได้เฉพาะผู้มีเลขประจำตัว 13 หลัก", "Only who has a 13-digit identity number can be claimed for."),
    API,
)
CID_FORM = Rule(
    "person.cid_form",
    "error",
    "visits.cid",
    Message("เลขประจำตัวประชาชนไม่ใช่ตัวเลข 13 หลัก", "The identity number is not 13 digits."),
    CARD,
    API,
    in_workbook=CARD_HERE,
)
CID_PLACEHOLDER = Rule(
    "person.cid_placeholder",
    "error",
    "visits.cid",
    Message("เลขประจำตัวประชาชนเป็นเลขสมมติ", "The identity number is a placeholder."),
    CARD,
    DATABASES,
    in_workbook=CARD_HERE,
)
CID_CHECK_DIGIT = Rule(
    "person.cid_check_digit",
    "error",
    "visits.cid",
    Message("เลขประจำตัวประชาชนไม่ถูกต้อง (หลักสุดท้ายไม่ตรง)", "The identity number is wrong: its check digit does not fit."),
    CARD,
    API,
    in_workbook=CARD_HERE,
)
CID_SHARED = Rule(
    "person.cid_shared",
    "error",
    "visits.cid",
    Message(
        "เลขประจำตัวประชาชนนี้เป็นของผู้ป่วยอีกคนในวันเดียวกันด้วย (คนละ HN และคนละชื่อหรือวันเกิด)",
        "The same identity number stands at another patient of this day, with another HN and another name or date of birth.",
    ),
    Message(
        "กรุณาตรวจบัตรประชาชนของทั้งสองคน (เช่น มารดากับทารก) แล้วแก้ใน HIS",
        "Check the identity cards of both (such as mother and newborn) and mend the number in the HIS.",
    ),
    DATABASES,
    in_workbook=CARD_HERE,
)
NAME_MISSING = Rule(
    "person.name_missing",
    "error",
    "visits.fname",
    Message("ไม่มีชื่อหรือนามสกุล", "The first or the last name is missing."),
    MEND,
    API,
)
NAME_UNREADABLE = Rule(
    "person.name_unreadable",
    "error",
    "visits.fname",
    Message(
        "คำนำหน้า ชื่อ หรือนามสกุลเป็นภาษาต่างดาว (ชุดอักขระผิด)",
        "The title or name is unreadable: it was stored or read in a wrong character set.",
    ),
    Message(
        "กรุณาพิมพ์ชื่อใหม่ใน HIS หากเป็นทุกคนให้ตรวจการตั้งค่า charset",
        "Type the name anew in the HIS; if it is everybody's, check the setting charset.",
    ),
    DATABASES,
)
TITLE_MISSING = Rule(
    "person.title_missing",
    "warning",
    "visits.title",
    Message("ไม่มีคำนำหน้าชื่อ จึงส่งเป็นค่าว่าง", "The title is missing and goes empty."),
    MEND,
    API,
)
DOB_MISSING = Rule(
    "person.dob_missing", "error", "visits.dob", Message("ไม่มีวันเกิด", "The date of birth is missing."), MEND, API
)
DOB_BUDDHIST_YEAR = Rule(
    "person.dob_buddhist_year",
    "error",
    "visits.dob",
    Message("วันเกิดบันทึกเป็นปี พ.ศ.", "The date of birth is stored in a Buddhist year."),
    MEND,
    DATABASES,
)
DOB_FUTURE = Rule(
    "person.dob_future",
    "error",
    "visits.dob",
    Message("วันเกิดอยู่หลังวันรับบริการ", "The date of birth is after the visit."),
    MEND,
    DATABASES,
)
DOB_TOO_OLD = Rule(
    "person.dob_too_old",
    "error",
    "visits.dob",
    Message("อายุตามวันเกิดเกิน {years} ปี", "By the date of birth the person is older than {years} years."),
    MEND,
    DATABASES,
)
SEX_UNKNOWN = Rule(
    "person.sex_unknown",
    "error",
    "visits.sex",
    Message("เพศไม่ใช่ 1 (ชาย) หรือ 2 (หญิง)", "The sex is neither 1 (male) nor 2 (female)."),
    MEND,
    API,
)
NATION_MISSING = Rule(
    "person.nation_missing",
    "error",
    "visits.nation",
    Message("ไม่มีสัญชาติ", "The nationality is missing."),
    MEND,
    API,
)
NATION_UNMAPPED = Rule(
    "person.nation_unmapped",
    "error",
    "visits.nation",
    Message("สัญชาติ {code} ไม่มีรหัสมาตรฐาน 3 หลัก", "The nationality {code} has no 3-digit standard code."),
    Message(
        "กรุณาใส่รหัส สปสช. ในตารางสัญชาติของ HIS หรือใน nationalities.csv ของ his.maps_folder",
        "Give it its NHSO code in the HIS's table of nationalities, or in nationalities.csv of his.maps_folder.",
    ),
    DATABASES,
    of_code=True,
)
MARRIAGE_UNMAPPED = Rule(
    "person.marriage_unmapped",
    "warning",
    "visits.marriage",
    Message(
        "สถานภาพสมรส {code} ไม่มีรหัสมาตรฐาน จึงส่งเป็น 9 (ไม่ทราบ)",
        "The marital status {code} has no standard code and goes as 9 (unknown).",
    ),
    Message(
        "กรุณาใส่รหัสในตารางสถานภาพของ HIS หรือใน marital_status.csv ของ his.maps_folder",
        "Give it its code in the HIS's table of marital status, or in marital_status.csv of his.maps_folder.",
    ),
    DATABASES,
    of_code=True,
)
OCCUPATION_UNMAPPED = Rule(
    "person.occupation_unmapped",
    "warning",
    "visits.occupa",
    Message("อาชีพ {code} ไม่มีชื่อ จึงส่งเป็นค่าว่าง", "The occupation {code} has no name and goes empty."),
    Message(
        "กรุณาใส่ชื่อในตารางอาชีพของ HIS หรือใน occupations.csv ของ his.maps_folder",
        "Give it its name in the HIS's table of occupations, or in occupations.csv of his.maps_folder.",
    ),
    DATABASES,
    of_code=True,
)
OCCUPATION_UNREADABLE = Rule(
    "person.occupation_unreadable",
    "warning",
    "visits.occupa",
    Message(
        "ชื่ออาชีพเป็นภาษาต่างดาว จึงส่งเป็นค่าว่าง",
        "The occupation is unreadable (wrong character set) and goes empty.",
    ),
    Message("กรุณาแก้ตารางอาชีพใน HIS", "Mend the HIS's table of occupations."),
    DATABASES,
)
RULES = (
    CID_MISSING, PASSPORT_ONLY, CID_FORM, CID_PLACEHOLDER, CID_CHECK_DIGIT, CID_SHARED, NAME_MISSING, NAME_UNREADABLE,
    TITLE_MISSING, DOB_MISSING, DOB_BUDDHIST_YEAR, DOB_FUTURE, DOB_TOO_OLD, SEX_UNKNOWN, NATION_MISSING, NATION_UNMAPPED,
    MARRIAGE_UNMAPPED, OCCUPATION_UNMAPPED, OCCUPATION_UNREADABLE,
)  # fmt: skip


def fits_check_digit(pids: "pd.Series[Any]") -> "pd.Series[bool]":
    """Whether the 13th digit is the check digit of the first twelve; False for text that is not 13 digits.

    Check digit = (11 - sum(d[i] * (13 - i), i = 0..11) mod 11) mod 10.
    """
    formed = pids.str.fullmatch(r"[0-9]{13}").fillna(False).astype(bool)
    digits = np.frombuffer("".join(pids[formed]).encode("ascii"), dtype=np.uint8).reshape(-1, 13).astype(int) - ord("0")
    fits = pd.Series(False, index=pids.index)
    fits[formed] = (11 - digits[:, :12] @ np.arange(13, 1, -1) % 11) % 10 == digits[:, 12]
    return fits


def identity_numbers(visits: pd.DataFrame) -> "pd.Series[str]":
    """Identity numbers as in payloads: without the dashes and spaces that people type."""
    return visits["cid"].str.replace(r"[-\s]", "", regex=True)


def with_person(visits: pd.DataFrame, codes: CodesOn) -> pd.DataFrame:
    """The visits with the person's fields of payloads: pid, sent_title, sent_occupa, sent_marriage, sent_nation, citizen.

    pid is the identity number without dashes and spaces; sent_nation has 3 digits or is missing; citizen is whether the
    immunisation fund pays for the nationality. marriage_known is whether the marital status has a code.
    """
    listed = codes.nationalities
    nation = visits["nation"].where(visits["nation"].str.fullmatch("[0-9]{2,3}").fillna(False)).str.zfill(3)
    title, title_marriage = _titles(visits["title"], codes.titles)
    married = visits["marriage"].isin(codes.marital_status["code"])
    return visits.assign(
        pid=identity_numbers(visits),
        sent_title=title.fillna(""),
        sent_occupa=visits["occupa"].mask(is_unreadable(visits["occupa"])).fillna(""),
        sent_marriage=title_marriage.fillna(visits["marriage"].where(married, "9")),
        marriage_known=title_marriage.notna() | married,
        sent_nation=nation,
        citizen=nation.isin(listed.loc[listed["citizen"] == "yes", "code"]),
    )


def _titles(titles: "pd.Series[Any]", listed: pd.DataFrame) -> "tuple[pd.Series[Any], pd.Series[Any]]":
    """The standard title if there is one, and the marital status that follows from a title (clergy)."""
    exact = listed[listed["match"] == "exact"].set_index("title")
    spaceless = titles.str.replace(r"\s", "", regex=True)
    marriage = spaceless.map(exact["marriage"]).astype("str")
    for prefix in listed[listed["match"] == "prefix"].to_dict("records"):
        marriage = marriage.mask(spaceless.str.startswith(prefix["title"]).fillna(False), prefix["marriage"])
    # A number is the HIS's code of a title, not a title.
    words = titles.mask(spaceless.str.isdecimal().fillna(False).astype(bool))
    return spaceless.map(exact["standard"]).astype("str").fillna(words), marriage


def findings(visits: pd.DataFrame, codes: CodesOn) -> list[Finding]:
    """Apply the rules about the person; `visits` as `with_person` returns them, one row per candidate."""
    spoilt = is_unreadable(visits["title"]) | is_unreadable(visits["fname"]) | is_unreadable(visits["lname"])
    names = spoilt.to_numpy()
    missing = (is_blank(visits["fname"]) | is_blank(visits["lname"])).to_numpy()
    nation = visits["local_nation"].fillna(visits["nation"])
    return [
        *_identity(visits),
        Finding(NAME_UNREADABLE, names),
        Finding(NAME_MISSING, missing & ~names),
        Finding(TITLE_MISSING, (visits["sent_title"] == "").to_numpy()),
        *_birth(visits["dob"], codes.limit("person_age_years"), codes.day),
        Finding(SEX_UNKNOWN, ~visits["sex"].isin(["1", "2"]).to_numpy()),
        Finding(NATION_MISSING, (visits["sent_nation"].isna() & nation.isna()).to_numpy()),
        _unmapped(NATION_UNMAPPED, nation, visits["sent_nation"].isna()),
        _unmapped(MARRIAGE_UNMAPPED, visits["local_marriage"], ~visits["marriage_known"]),
        _unmapped(OCCUPATION_UNMAPPED, visits["local_occupa"], visits["occupa"].isna()),
        Finding(OCCUPATION_UNREADABLE, is_unreadable(visits["occupa"]).to_numpy()),
    ]


def _identity(visits: pd.DataFrame) -> list[Finding]:
    pid = visits["pid"]
    blank, passport = is_blank(pid), visits["passport_no"].notna()
    formed = pid.str.fullmatch("[0-9]{13}").fillna(False).astype(bool)
    placeholder = pid.str.fullmatch(PLACEHOLDER).fillna(False).astype(bool)
    return _first_of(
        (CID_MISSING, blank & ~passport),
        (PASSPORT_ONLY, blank),
        (CID_FORM, ~formed),
        (CID_PLACEHOLDER, placeholder),
        (CID_CHECK_DIGIT, ~fits_check_digit(pid)),
        (CID_SHARED, _is_shared(visits)),
    )


def _is_shared(visits: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each identity number is also that of a patient with another HN and another name or date of birth."""
    name = (visits["fname"] + visits["lname"]).str.replace(r"\s", "", regex=True)
    # What is missing is no difference.
    several = visits.assign(name=name).groupby("pid")[["hn", "dob", "name"]].nunique() > 1
    return visits["pid"].isin(several.index[several["hn"] & (several["dob"] | several["name"])])


def _birth(dob: "pd.Series[Any]", oldest: int, day: date) -> list[Finding]:
    on = day_column(day, dob.index)
    found = _first_of(
        (DOB_MISSING, dob.isna()),
        (DOB_BUDDHIST_YEAR, is_buddhist(dob)),
        (DOB_FUTURE, dob > on),
    )
    return [*found, Finding(DOB_TOO_OLD, (age_years(dob, on) > oldest).to_numpy(), {"years": str(oldest)})]


def _first_of(*chain: "tuple[Rule, pd.Series[bool]]") -> list[Finding]:
    """One finding per rule, without rows that an earlier rule of the chain has found: each fault is reported once."""
    seen: Mask = np.zeros(len(chain[0][1]), dtype=np.bool_)
    findings = []
    for rule, found in chain:
        findings.append(Finding(rule, found.to_numpy(dtype=np.bool_) & ~seen))
        seen = seen | found.to_numpy(dtype=np.bool_)
    return findings


def _unmapped(rule: Rule, local: "pd.Series[Any]", unknown: "pd.Series[bool]") -> Finding:
    return Finding(rule, (local.notna() & unknown).to_numpy(), {"code": local})
