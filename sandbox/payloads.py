"""Validates a body: the sandbox's own implementation of the payload contract (moph-claim-api.md §4).

It names the fields at fault and never repeats a value.
"""

import csv
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

Check = Callable[[str], bool]

SERVICES = {"32401": ("dm", "HbA1C"), "32202": ("ht", "Creatinine (Cr)"), "32103": ("ht", "Potassium (K)")}
DIAGNOSIS_OF_KIND = {"dm": re.compile(r"E11"), "ht": re.compile(r"I1[0-5]")}


class VaccineCode(NamedTuple):
    """A claimable code: its service (epi or dt), and the first and last day of doses it is valid for."""

    service: str
    first_day: date
    last_day: date


@cache
def vaccine_codes() -> dict[str, VaccineCode]:
    """The claimable vaccine codes."""
    with (Path(__file__).parent / "vaccine_codes.csv").open(encoding="utf-8", newline="") as lines:
        return {
            row["code"]: VaccineCode(
                row["service"],
                date.fromisoformat(row["valid_from"] or "0001-01-01"),
                date.fromisoformat(row["valid_to"] or "9999-12-31"),
            )
            for row in csv.DictReader(lines)
        }


def invalid_fields(payload: Any, service: str) -> list[str]:
    """The fields of a submitted body that are missing, unknown or wrong, in no particular order; none if it is valid.

    Args:
        payload: The body as JSON gave it.
        service: dmht, epi or dt, from the address.
    """
    if not isinstance(payload, dict):
        return ["body"]
    if service == "dmht":
        return [*_fields(payload, DMHT, ("diagnosis", "claim_services")), *_dmht(payload)]
    lists = ("vaccine",)
    optional = ("diagnosis", "prenatal") if service == "epi" else ("diagnosis",)
    return [*_fields(payload, COMMON, lists, optional), *_vaccination(payload, service)]


def invalid_enquiry_fields(payload: Any, kind: str) -> list[str]:
    """The fields of an eligibility check's body that are missing, unknown or wrong."""
    if not isinstance(payload, dict):
        return ["body"]
    return _fields(payload, ENQUIRY if kind in ("dm", "ht") else VACCINE_ENQUIRY, ())


def kind_of(payload: dict[str, Any], service: str) -> str:
    """The kind of a valid payload: dm, ht, epi or dt."""
    if service == "dmht":
        return "dm" if payload["is_used_dm"] == "1" else "ht"
    return service


def _one_of(*allowed: str) -> Check:
    return frozenset(allowed).__contains__


def _pattern(pattern: str) -> Check:
    fullmatch = re.compile(pattern, re.ASCII).fullmatch
    return lambda text: fullmatch(text) is not None


def _present(text: str) -> bool:
    return bool(text.strip())


def _any(_text: str) -> bool:
    return True


def pid_is_valid(text: str) -> bool:
    """Thirteen digits, the last of which is the check digit of the others."""
    if len(text) != 13 or not (text.isascii() and text.isdigit()):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text[:12], range(13, 1, -1), strict=True))
    return (11 - total % 11) % 10 == int(text[12])


def _day(text: str) -> bool:
    if len(text) != 10 or not DAY_FORM(text):
        return False
    try:
        # A Buddhist year is the CE year plus 543.
        return 1880 <= date.fromisoformat(text).year < 2400
    except ValueError:
        return False


def _minute(text: str) -> bool:
    if not MINUTE_FORM(text):
        return False
    try:
        return 2000 <= datetime.fromisoformat(text).year < 2400
    except ValueError:
        return False


DAY_FORM = _pattern(r"\d{4}-\d{2}-\d{2}")
MINUTE_FORM = _pattern(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}")
NUMBER = _pattern(r"\d+(\.\d+)?")
HCODE = _pattern(r"\d{5}")

COMMON: dict[str, Check] = {
    "seq": _present,
    "hn": _present,
    "pid": pid_is_valid,
    "id_type": _one_of("1"),
    "title": _any,
    "fname": _present,
    "lname": _present,
    "occupa": _any,
    "marriage": _one_of("1", "2", "3", "4", "5", "6", "9"),
    "dob": _day,
    "sex": _one_of("1", "2"),
    "nation": _pattern(r"\d{3}"),
    "hcode": HCODE,
    "hospital_name": _present,
    "visit_date_time": _minute,
}
DMHT: dict[str, Check] = COMMON | {
    "uuc": _one_of("1"),
    "is_used_dm": _one_of("0", "1"),
    "is_used_ht": _one_of("0", "1"),
}
DIAGNOSIS: dict[str, Check] = {
    "dx_date_time": _minute,
    "icd10": _pattern(r"[A-Z]\d[0-9A-Z]{1,5}"),
    "dx_type": _one_of("1", "2", "3", "4", "5"),
}
SERVICE: dict[str, Check] = {
    "name": _present,
    "code": _one_of(*SERVICES),
    "lab_result": lambda text: NUMBER(text) and float(text) > 0,
}
VACCINE: dict[str, Check] = {
    "code": lambda text: text in vaccine_codes(),
    "lot_number": _present,
    "dose_quantity": _present,
    "manufacturer": _any,
    "expiration_date": _day,
    "occurence_date_time": _minute,
    "site_code": _any,
    "route_code": _any,
    "license_no": _present,
    "name": _present,
    "note": _any,
}
PRENATAL: dict[str, Check] = {"gravida": _pattern(r"[1-9]\d?"), "ga_week": _pattern(r"[1-9]\d?")}
ENQUIRY: dict[str, Check] = {
    "pid": pid_is_valid,
    "id_type": _one_of("1"),
    "hcode": HCODE,
    "visit_date_time": _minute,
}
VACCINE_ENQUIRY: dict[str, Check] = ENQUIRY | {"vaccine_code": lambda text: text in vaccine_codes(), "dob": _day}


def _fields(
    payload: dict[str, Any], checks: dict[str, Check], others: tuple[str, ...], optional: tuple[str, ...] = ()
) -> list[str]:
    """Names of the scalars that are missing, not a string or wrong, and of keys that are missing or unknown."""
    wrong = [
        name for name, fits in checks.items() if not isinstance(value := payload.get(name), str) or not fits(value)
    ]
    wrong += [name for name in others if name not in payload]
    # An unknown key may itself hold anything: it is counted, not repeated.
    known = len(checks) + sum(name in payload for name in (*others, *optional))
    if len(payload) + sum(name not in payload for name in checks) > known:
        wrong.append("unknown field")
    return wrong


def _rows(payload: dict[str, Any], name: str, checks: dict[str, Check]) -> Iterator[str]:
    rows = payload[name]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        yield name
        return
    for index, row in enumerate(rows):
        for field in _fields(row, checks, ()):
            yield f"{name}[{index}].{field}"


def _dmht(payload: dict[str, Any]) -> list[str]:
    used = [payload.get("is_used_dm"), payload.get("is_used_ht")]
    if used not in (["1", "0"], ["0", "1"]):
        return ["is_used_dm", "is_used_ht"]
    if "diagnosis" not in payload or "claim_services" not in payload:
        return []
    kind = kind_of(payload, "dmht")
    wrong = [*_rows(payload, "diagnosis", DIAGNOSIS), *_rows(payload, "claim_services", SERVICE)]
    if wrong:
        return wrong
    if not any(DIAGNOSIS_OF_KIND[kind].match(row["icd10"]) for row in payload["diagnosis"]):
        wrong.append("diagnosis")
    services = [(row["code"], row["name"]) for row in payload["claim_services"]]
    allowed = {(code, name) for code, (of_kind, name) in SERVICES.items() if of_kind == kind}
    if not services or len(set(services)) < len(services) or not set(services) <= allowed:
        wrong.append("claim_services")
    return wrong + _life(payload)


def _vaccination(payload: dict[str, Any], service: str) -> list[str]:
    wrong = list(_rows(payload, "diagnosis", DIAGNOSIS)) if "diagnosis" in payload else []
    if "vaccine" not in payload:
        return wrong
    wrong += _rows(payload, "vaccine", VACCINE)
    if not isinstance(payload["vaccine"], list) or len(payload["vaccine"]) != 1:
        wrong.append("vaccine")
    if wrong:
        return wrong
    dose = payload["vaccine"][0]
    code, given = vaccine_codes()[dose["code"]], date.fromisoformat(dose["occurence_date_time"][:10])
    if code.service != service or not code.first_day <= given <= code.last_day:
        wrong.append("vaccine[0].code")
    if date.fromisoformat(dose["expiration_date"]) < given:
        wrong.append("vaccine[0].expiration_date")
    if "prenatal" in payload:
        prenatal = payload["prenatal"]
        if dose["code"] != "P41" or not isinstance(prenatal, dict):
            wrong.append("prenatal")
        else:
            wrong += [f"prenatal.{name}" for name in _fields(prenatal, PRENATAL, ())]
    return wrong + _life(payload)


def _life(payload: dict[str, Any]) -> list[str]:
    """A visit lies within 120 years from birth."""
    born, visit = payload.get("dob"), payload.get("visit_date_time")
    if not (isinstance(born, str) and isinstance(visit, str) and _day(born) and _minute(visit)):
        return []
    return [] if 0 <= (date.fromisoformat(visit[:10]) - date.fromisoformat(born)).days <= 120 * 366 else ["dob"]
