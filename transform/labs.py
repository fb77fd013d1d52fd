"""Lab results are text. They are read strictly as a number in a plausible range, or refused with the reason."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import pandas as pd

from core.messages import Message
from transform.codes import Lab
from transform.dates import NO_TIME, gregorian_days
from transform.rule import Finding, Rule
from transform.text import shown

RESULT_LENGTH = 40
THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
NUMBER = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(.*)")
SOURCE = "default of the program; lab results are text in every hospital database"

NOT_A_NUMBER = Rule(
    "lab.not_a_number",
    "error",
    "labs.result",
    Message("ผลแล็บไม่ใช่ตัวเลข: {results}", "Lab result that is not a number: {results}."),
    Message("กรุณาแก้ผลแล็บใน HIS เป็นตัวเลขตามใบรายงาน", "Enter the reported number in the HIS."),
    SOURCE,
    ("dm", "ht"),
    in_workbook=Message(
        "กรุณาพิมพ์เฉพาะตัวเลขตามใบรายงาน แล้วนำเข้าใหม่", "Type the reported number alone, and import it again."
    ),
)
OUT_OF_RANGE = Rule(
    "lab.out_of_range",
    "error",
    "labs.result",
    Message("ผลแล็บอยู่นอกช่วงที่เป็นไปได้: {results}", "Lab result outside the plausible range: {results}."),
    Message("กรุณาตรวจสอบผลและหน่วยใน HIS", "Check the result and its unit in the HIS."),
    SOURCE,
    ("dm", "ht"),
    in_workbook=Message(
        "กรุณาตรวจผลและหน่วยกับใบรายงาน แก้แล้วนำเข้าใหม่",
        "Check the result and its unit against the report, mend it, and import it again.",
    ),
)
CONTRADICTING = Rule(
    "lab.contradicting",
    "error",
    "labs.result",
    Message(
        "ผลแล็บของการตรวจเดียวกันขัดแย้งกัน โดยไม่รู้ว่าผลใดหลังสุด: {results}",
        "Results of one test contradict each other, and which is the latest is not known: {results}.",
    ),
    Message(
        "กรุณาแก้ใน HIS ให้เหลือผลที่ถูกต้องผลเดียว หรือใส่เวลารายงานผลให้ครบ",
        "Keep only the right one in the HIS, or enter the time of each.",
    ),
    SOURCE,
    ("dm", "ht"),
    in_workbook=Message(
        "กรุณาเหลือไว้เฉพาะแถวของผลที่ถูกต้อง แล้วนำเข้าใหม่", "Keep only the row of the right one, and import it again."
    ),
)
LEFT_OUT = Rule(
    "lab.left_out",
    "warning",
    "labs.result",
    Message(
        "ไม่ส่งผลแล็บที่ไม่ใช่ตัวเลขในช่วงที่เป็นไปได้ เคลมไปเฉพาะผลอื่น: {results}",
        "The claim goes with the other result, without one that is not a plausible number: {results}.",
    ),
    Message("หากต้องการเคลมผลนี้ กรุณาแก้ใน HIS ก่อนส่ง", "To claim it too, mend it in the HIS before it is sent."),
    SOURCE,
    ("dm", "ht"),
)
RULES = (NOT_A_NUMBER, OUT_OF_RANGE, CONTRADICTING, LEFT_OUT)

Fault = Literal["not a number", "out of range", "contradicting"]


class Reading(NamedTuple):
    """A result as plain decimal text, or why it is not a usable number."""

    number: str | None
    fault: Fault | None


def parse_number(text: str, units: Iterable[str] = ()) -> Decimal | None:
    """A result as a number: digits (also Thai ones) with at most one point, and optionally one of the units; else None.

    Bounds (`<4.0`), words, decimal commas, signs and several numbers are refused.
    """
    match = NUMBER.fullmatch(text.strip().translate(THAI_DIGITS))
    if match is None or match[2].casefold() not in {"", *(unit.casefold() for unit in units)}:
        return None
    return Decimal(match[1])


def plain(number: Decimal) -> str:
    """A number as plain decimal text without trailing zeros: 7.20 is 7.2, 10 stays 10."""
    return format(number.normalize(), "f")


def read(text: str, lab: Lab) -> Reading:
    """A result text as the number to send, or the reason why it cannot be sent."""
    number = parse_number(text, lab.units)
    if number is None:
        return Reading(None, "not a number")
    return Reading(plain(number), None) if lab.low <= number <= lab.high else Reading(None, "out of range")


def latest_results(labs: pd.DataFrame, listed: Iterable[Lab]) -> pd.DataFrame:
    """The results that count: the latest of each lab code in each visit, and every result without a code.

    Results are ordered by day, also one in a Buddhist year, then time, then the number in `lab_order`. 00:00 is no time. A
    value that only one of two results has does not tell which is later. Results of which none is known to be the latest
    all count, unless they are the same number.

    Args:
        labs: The contract table.
        listed: The lab tests, for their units.

    Returns:
        The rows that count, in the order of the table; several of one visit and code contradict each other.
    """
    test = ["vn", "lab_code"]
    several = labs["lab_code"].notna() & labs.duplicated(test, keep=False)
    rows = labs[several]
    rows = rows.assign(
        day=gregorian_days(rows["result_date"]),
        time=rows["result_time"].mask(rows["result_time"] == NO_TIME),
        number=pd.to_numeric(rows["lab_order"], errors="coerce"),
    )
    alike = [*test]
    for column in ("day", "time", "number"):
        rows = rows[~(rows[column] < rows.groupby(alike, dropna=False)[column].transform("max"))]
        alike.append(column)
    units = {lab.code: lab.units for lab in listed}
    read_as = [
        parse_number(text, units.get(code, ())) for text, code in zip(rows["result"], rows["lab_code"], strict=True)
    ]
    rows = (
        rows.assign(read_as=pd.Series(read_as, rows.index, dtype="object"))
        .sort_values("result")
        .drop_duplicates([*test, "read_as"], keep="last")
    )
    return pd.concat([labs[~several], rows[labs.columns]]).sort_index()


def latest_readings(labs: pd.DataFrame, lab: Lab) -> pd.DataFrame:
    """The latest result of one lab code in each visit: vn, and `result_`, `number_`, `fault_` followed by the code.

    Args:
        labs: The contract table.
        lab: The lab code.
    """
    rows = latest_results(labs[labs["lab_code"] == lab.code], [lab])
    readings = {text: read(text, lab) for text in rows["result"].unique()}
    contradicting = rows[rows.duplicated("vn", keep=False)].groupby("vn")["result"].agg(_side_by_side).to_dict()
    rows = rows.drop_duplicates("vn")
    results = list(zip(rows["vn"], rows["result"], strict=True))
    found = [Reading(None, "contradicting") if vn in contradicting else readings[text] for vn, text in results]
    columns: dict[str, Any] = {
        "vn": rows["vn"].to_numpy(),
        f"result_{lab.code}": [contradicting.get(vn, text) for vn, text in results],
        f"number_{lab.code}": [reading.number for reading in found],
        f"fault_{lab.code}": [reading.fault for reading in found],
    }
    return pd.DataFrame(columns).astype("str")


def _side_by_side(results: "pd.Series[str]") -> str:
    """Results in one text of which a message shows at least two, each in quotation marks of its own."""
    return "” / “".join(shown(result, RESULT_LENGTH // 2 - 3) for result in sorted(results))


def with_readings(visits: pd.DataFrame, labs: pd.DataFrame, of_kind: tuple[Lab, ...]) -> pd.DataFrame:
    """The visits that have a result of any of the labs, with the latest reading of each lab."""
    visits = visits[visits["vn"].isin(labs.loc[labs["lab_code"].isin([lab.code for lab in of_kind]), "vn"])]
    for lab in of_kind:
        visits = visits.merge(latest_readings(labs, lab), on="vn", how="left")
    return visits


def usable(candidates: pd.DataFrame, of_kind: tuple[Lab, ...]) -> "pd.Series[bool]":
    """Whether each candidate has at least one result that can be sent."""
    return candidates[[f"number_{lab.code}" for lab in of_kind]].notna().any(axis=1)


def findings(candidates: pd.DataFrame, of_kind: tuple[Lab, ...], *, explicit_request: bool) -> list[Finding]:
    """Results that cannot be sent: an error if no other result can, or if the rows are a workbook's; else a warning.

    Contradicting results are always an error, as a person can tell which is right.
    """
    faults = {lab: candidates[f"fault_{lab.code}"] for lab in of_kind}
    sendable = usable(candidates, of_kind)
    if explicit_request:
        sendable &= ~candidates[[f"fault_{lab.code}" for lab in of_kind]].notna().any(axis=1)
    return [
        _finding(
            NOT_A_NUMBER, candidates, {lab: (fault == "not a number") & ~sendable for lab, fault in faults.items()}
        ),
        _finding(
            OUT_OF_RANGE, candidates, {lab: (fault == "out of range") & ~sendable for lab, fault in faults.items()}
        ),
        _finding(CONTRADICTING, candidates, {lab: fault == "contradicting" for lab, fault in faults.items()}),
        _finding(
            LEFT_OUT,
            candidates,
            {lab: fault.notna() & (fault != "contradicting") & sendable for lab, fault in faults.items()},
        ),
    ]


def _finding(rule: Rule, candidates: pd.DataFrame, found: "dict[Lab, pd.Series[bool]]") -> Finding:
    results = pd.Series("", index=candidates.index, dtype="str")
    for lab, where in found.items():
        text = candidates[f"result_{lab.code}"].map(lambda result: shown(result, RESULT_LENGTH)).astype("str")
        results = results + (f", {lab.name} “" + text + f"” ({lab.range_text})").where(where, "")
    results = results.str.removeprefix(", ")
    return Finding(rule, (results != "").to_numpy(), {"results": results})
