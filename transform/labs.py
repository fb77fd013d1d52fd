"""Lab results are text: read strictly as a number of a plausible range, or refused with the reason; never guessed."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import pandas as pd

from extract.messages import Message
from transform.codes import Lab
from transform.rule import Finding, Rule

THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
NUMBER = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(.*)")
SOURCE = "default of the program; lab results are text in every hospital database"

NOT_A_NUMBER = Rule(
    "lab.not_a_number",
    "error",
    "labs.result",
    Message("ผล {lab} “{result}” ไม่ใช่ตัวเลข", "The {lab} result “{result}” is not a number."),
    Message("กรุณาแก้ผลแล็บใน HIS เป็นตัวเลขตามใบรายงาน", "Enter the reported number in the HIS."),
    SOURCE,
    ("dm", "ht"),
)
OUT_OF_RANGE = Rule(
    "lab.out_of_range",
    "error",
    "labs.result",
    Message("ผล {lab} “{result}” อยู่นอกช่วงที่เป็นไปได้ ({range})", "The {lab} result “{result}” is outside {range}."),
    Message("กรุณาตรวจสอบผลและหน่วยใน HIS", "Check the result and its unit in the HIS."),
    SOURCE,
    ("dm", "ht"),
)
LEFT_OUT = Rule(
    "lab.left_out",
    "warning",
    "labs.result",
    Message(
        "ไม่ส่งผล {lab} “{result}” เพราะไม่ใช่ตัวเลขในช่วง {range} เคลมไปเฉพาะผลอื่น",
        "The {lab} result “{result}” is not a number of {range} and is left out; the claim goes with the other result.",
    ),
    Message("หากต้องการเคลมผลนี้ กรุณาแก้ใน HIS ก่อนส่ง", "To claim it too, mend it in the HIS before it is sent."),
    SOURCE,
    ("dm", "ht"),
)
RULES = (NOT_A_NUMBER, OUT_OF_RANGE, LEFT_OUT)

Fault = Literal["not a number", "out of range"]


class Reading(NamedTuple):
    """A result read as a number: plain decimal text, or why not."""

    number: str | None
    fault: Fault | None


def parse_number(text: str, units: Iterable[str] = ()) -> Decimal | None:
    """A result as a number: digits (Thai ones too), one point, perhaps one of the units attached; else None.

    Bounds (`<4.0`), words, decimal commas, signs and several numbers are no number.
    """
    match = NUMBER.fullmatch(text.strip().translate(THAI_DIGITS))
    if match is None or match[2].casefold() not in {"", *(unit.casefold() for unit in units)}:
        return None
    return Decimal(match[1])


def plain(number: Decimal) -> str:
    """A number as plain decimal text without trailing zeros: 7.20 is 7.2, 10 stays 10."""
    return format(number.normalize(), "f")


def read(text: str, lab: Lab) -> Reading:
    """A result text as the number that is sent, or the reason it cannot be."""
    number = parse_number(text, lab.units)
    if number is None:
        return Reading(None, "not a number")
    return Reading(plain(number), None) if lab.low <= number <= lab.high else Reading(None, "out of range")


def latest_readings(labs: pd.DataFrame, lab: Lab) -> pd.DataFrame:
    """The latest result of one lab code in each visit: vn, and `result_`, `number_`, `fault_` with the code behind.

    Args:
        labs: The contract table; of results of the same minute the later row counts.
        lab: The lab code.
    """
    rows = labs[labs["lab_code"] == lab.code]
    rows = rows.sort_values(["result_date", "result_time"], kind="stable", na_position="first")
    rows = rows.drop_duplicates("vn", keep="last")
    readings = {text: read(text, lab) for text in rows["result"].unique()}
    found = [readings[text] for text in rows["result"]]
    columns: dict[str, Any] = {
        "vn": rows["vn"].to_numpy(),
        f"result_{lab.code}": rows["result"].to_numpy(),
        f"number_{lab.code}": [reading.number for reading in found],
        f"fault_{lab.code}": [reading.fault for reading in found],
    }
    return pd.DataFrame(columns).astype("str")


def with_readings(visits: pd.DataFrame, labs: pd.DataFrame, of_kind: tuple[Lab, ...]) -> pd.DataFrame:
    """The visits that have any result of the labs, each lab's latest reading beside."""
    visits = visits[visits["vn"].isin(labs.loc[labs["lab_code"].isin([lab.code for lab in of_kind]), "vn"])]
    for lab in of_kind:
        visits = visits.merge(latest_readings(labs, lab), on="vn", how="left")
    return visits


def usable(candidates: pd.DataFrame, of_kind: tuple[Lab, ...]) -> "pd.Series[bool]":
    """Whether each candidate has at least one result that can be sent."""
    return candidates[[f"number_{lab.code}" for lab in of_kind]].notna().any(axis=1)


def findings(candidates: pd.DataFrame, of_kind: tuple[Lab, ...]) -> list[Finding]:
    """Results that cannot be sent: an error where no other can, else a warning."""
    goes = usable(candidates, of_kind).to_numpy()
    found = []
    for lab in of_kind:
        fault = candidates[f"fault_{lab.code}"]
        values: dict[str, str | pd.Series[Any]] = {
            "lab": lab.name,
            "result": candidates[f"result_{lab.code}"],
            "range": lab.range_text,
        }
        found += [
            Finding(NOT_A_NUMBER, (fault == "not a number").to_numpy() & ~goes, values),
            Finding(OUT_OF_RANGE, (fault == "out of range").to_numpy() & ~goes, values),
            Finding(LEFT_OUT, fault.notna().to_numpy() & goes, values),
        ]
    return found
