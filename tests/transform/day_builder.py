"""A service day by hand: synthetic visits that would be claimed, each test changes one thing."""

from datetime import date
from typing import Any

import pandas as pd

from extract.contract import DTYPES, TABLES, DayTables, TableName, check
from transform.claim import Claim, Issue, Kind, Transformed
from transform.claims import make_claims
from transform.settings import TransformSettings

DAY = date(2026, 9, 21)
HCODE = "10953"
VN = "690921093000"
ALL: tuple[Kind, ...] = ("dm", "ht", "epi", "dt")


def cid(number: int) -> str:
    """A synthetic 13-digit number with a right check digit."""
    twelve = f"9{number:011d}"
    total = sum(int(digit) * (13 - place) for place, digit in enumerate(twelve))
    return f"{twelve}{(11 - total % 11) % 10}"


PID = cid(12345678)


def visit(vn: str = VN, **changes: Any) -> dict[str, Any]:
    return {
        "hcode": HCODE,
        "hospital_name": "โรงพยาบาลตัวอย่าง",
        "vn": vn,
        "hn": "000001234",
        "visit_date": "2026-09-21",
        "visit_time": "09:30",
        "cid": PID,
        "title": "นาง",
        "fname": "สมหญิง",
        "lname": "ใจดี",
        "dob": "1970-02-03",
        "sex": "2",
        "marriage": "2",
        "occupa": "รับจ้าง",
        "nation": "099",
        "scheme": "UCS",
        "closing_code": "EP1234567890",
        "antenatal": False,
    } | changes


def diagnosis(icd10: str = "E119", vn: str = VN, **changes: Any) -> dict[str, Any]:
    row = {"vn": vn, "icd10": icd10, "dx_type": "1", "dx_date": "2026-09-21", "dx_time": "09:45", "earlier": False}
    return row | changes


def lab(result: str = "7.2", lab_code: str = "32401", vn: str = VN, **changes: Any) -> dict[str, Any]:
    return {
        "vn": vn,
        "lab_code": lab_code,
        "local_code": "77",
        "lab_name": "lab",
        "result": result,
        "result_date": "2026-09-21",
        "result_time": "10:00",
    } | changes


def dose(vaccine_code: str | None = "091", vn: str = VN, **changes: Any) -> dict[str, Any]:
    return {
        "vn": vn,
        "vaccine_code": vaccine_code,
        "local_code": "5",
        "vaccine_name": "DTP-HB1",
        "lot_number": "LOT42",
        "expiration_date": "2027-12-31",
        "given_date": "2026-09-21",
        "given_time": "10:15",
        "dose_quantity": "0.5",
        "manufacturer": "Maker",
        "provider_name": "นางพยาบาล มีใบอนุญาต",
        "license_no": "4511234567",
        "family": "wbc",
    } | changes


def table(name: TableName, rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(TABLES[name]))
    for column, kind in TABLES[name].items():
        if kind == "date":
            days = [pd.NaT if pd.isna(value) else pd.Timestamp(value).as_unit("us") for value in frame[column]]
            frame[column] = pd.Series(days, dtype="datetime64[us]")
        else:
            frame[column] = frame[column].astype(DTYPES[kind])
    return check(name, frame, "the test")


def tables(
    visits: list[dict[str, Any]],
    diagnoses: list[dict[str, Any]] | None = None,
    labs: list[dict[str, Any]] | None = None,
    vaccinations: list[dict[str, Any]] | None = None,
    day: date = DAY,
) -> DayTables:
    return DayTables(
        day,
        table("visits", visits),
        table("diagnoses", diagnoses or []),
        table("labs", labs or []),
        table("vaccinations", vaccinations or []),
    )


def earlier(
    kind: Kind, vn: str, service_date: str, item: str = "", *, pid: str = PID, yields: bool = False
) -> dict[str, Any]:
    """A claim of the history."""
    return {"kind": kind, "pid": pid, "item": item, "vn": vn, "service_date": service_date, "yields": yields}


def past(*claims: dict[str, Any]) -> pd.DataFrame:
    """The history of these claims."""
    frame = pd.DataFrame(claims, columns=["kind", "pid", "item", "vn", "service_date", "yields"])
    return frame.assign(service_date=pd.to_datetime(frame["service_date"]))


def make(
    day: DayTables,
    *history: dict[str, Any],
    kinds: tuple[Kind, ...] = ALL,
    settings: TransformSettings | None = None,
    today: date = DAY,
) -> Transformed:
    return make_claims(day, kinds=kinds, hcode=HCODE, history=past(*history), settings=settings, today=today)


def dm_day(result: str = "7.2", **changes: Any) -> DayTables:
    return tables([visit(**changes)], [diagnosis()], [lab(result)])


def ht_day(*labs: dict[str, Any], **changes: Any) -> DayTables:
    rows = list(labs) or [lab("1.1", "32202"), lab("4.0", "32103")]
    return tables([visit(**changes)], [diagnosis("I10")], rows)


def epi_day(vaccine_code: str | None = "091", changes: dict[str, Any] | None = None, **dose_changes: Any) -> DayTables:
    child = {"title": "ด.ญ.", "dob": "2026-05-01", "marriage": "1", "scheme": "OFC"} | (changes or {})
    return tables([visit(**child)], vaccinations=[dose(vaccine_code, **dose_changes)])


def dt_day(changes: dict[str, Any] | None = None, **dose_changes: Any) -> DayTables:
    return tables([visit(**(changes or {}))], vaccinations=[dose("106", **dose_changes)])


def rules(made: Transformed, severity: str = "error") -> list[str]:
    return [issue.rule for issue in made.issues if issue.severity == severity]


def keys(made: Transformed) -> list[tuple[str, str, str, str]]:
    return [claim.key for claim in made.claims]


def only_claim(made: Transformed) -> Claim:
    assert rules(made) == []
    (claim,) = made.claims
    return claim


def only_error(made: Transformed) -> Issue:
    (issue,) = [issue for issue in made.issues if issue.severity == "error"]
    assert made.claims == ()
    return issue
