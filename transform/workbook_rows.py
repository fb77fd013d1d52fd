"""Rows of a workbook and the claims they belong to: a claim is sent only if all its rows can be used."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from core.messages import Message
from extract.contract import DayTables
from extract.workbook.layout import layouts
from extract.workbook.records import to_json, typed_row
from extract.workbook.rows import Fault, Row, Value
from transform.claim import SERVICES, Claim, Issue, Kind, Transformed
from transform.codes import Codes
from transform.rule import Rule
from transform.sheet_rows import SheetRows

ItemKey = tuple[Kind, str, str]
"""What makes a claim one within a facility: kind, vn, item."""

NUMBER_TAKEN = Rule(
    "visit.number_taken",
    "error",
    "visits.vn",
    Message(
        "เลขที่รับบริการนี้ใช้กับการรับบริการอื่นไปแล้ว (คนละคนหรือคนละวัน)",
        "This visit number is already another visit's: of another person or on another day.",
    ),
    Message("กรุณาตรวจเลขที่รับบริการ หรือตั้งเลขใหม่ที่ไม่ซ้ำ", "Check it, or give the visit a number of its own."),
    "a claim is known by its visit number",
)
RULES = (NUMBER_TAKEN,)


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class ClaimRows:
    """The rows of a workbook by claim.

    Args:
        key_of_row: The claim of each row, by sheet and row number. Rows whose claim cannot be known are not in it.
        rows: The rows of each claim, and those that may belong to it.
    """

    key_of_row: Mapping[tuple[str, int], ItemKey]
    rows: Mapping[ItemKey, list[Row]]

    def value(self, key: ItemKey, column: str) -> Value | None:
        """A claim's value in a column of the visit, from its first row where the cell is not faulty or empty."""
        return next((row.values[column] for row in self.rows[key] if column in row.values), None)


def group_by_claim(rows: Iterable[Row], codes: Codes) -> ClaimRows:
    """Find the claim of each row. A row that repeats an earlier one belongs to none."""
    claims_of_codes = _claims_of_codes(codes)
    key_of_row: dict[tuple[str, int], ItemKey] = {}
    by_claim: dict[ItemKey, list[Row]] = defaultdict(list)
    unassigned: list[tuple[Row, str]] = []
    visits_of_person: dict[object, set[str]] = defaultdict(set)
    vn_above = ""
    for row in rows:
        vn, code = row.values.get("vn"), row.values.get("lab_code", row.values.get("vaccine_code"))
        if isinstance(vn, str):
            visits_of_person[row.values.get("cid")].add(vn)
            vn_above = vn
        if row.repeats:
            continue
        if isinstance(vn, str) and str(code) in claims_of_codes:
            kind, item = claims_of_codes[str(code)]
            key_of_row[row.sheet, row.number] = kind, vn, item
            by_claim[kind, vn, item].append(row)
        elif row.layout == "dmht":
            unassigned.append((row, vn_above))
    for row, above in unassigned:
        for key in _possible_claims(row, above, visits_of_person, claims_of_codes):
            if key in by_claim:
                by_claim[key].append(row)
    return ClaimRows(key_of_row, by_claim)


def _claims_of_codes(codes: Codes) -> dict[str, tuple[Kind, str]]:
    """The kind and item of the claim that each lab code and vaccine code belongs to."""
    labs: dict[str, tuple[Kind, str]] = {r["code"]: (r["kind"], "") for r in codes.labs.to_dict("records")}
    return labs | {r["code"]: (r["service"], r["code"]) for r in codes.vaccines.to_dict("records")}


def _possible_claims(
    row: Row,
    vn_above: str,
    visits_of_person: Mapping[object, set[str]],
    claims_of_codes: Mapping[str, tuple[Kind, str]],
) -> set[ItemKey]:
    """The claims that a lab result without a known visit or test may belong to; none of them may be sent without it.

    A row with neither visit nor person belongs to the visit above it, as in merged cells.
    """
    vn, person, code = (row.values.get(name) for name in ("vn", "cid", "lab_code"))
    visits = {vn} if isinstance(vn, str) else visits_of_person.get(person, set()) if person else {vn_above}
    kinds: set[Kind] = {claims_of_codes[str(code)][0]} if str(code) in claims_of_codes else {"dm", "ht"}
    return {(kind, visit, "") for kind in kinds for visit in visits}


def records_of(tables: DayTables, keys: Iterable[ItemKey], codes: Codes) -> dict[tuple[str, str, str], str]:
    """Claims of a service day as rows of a workbook, in JSON; those without a result or dose are left out."""
    sheet_rows = SheetRows(tables, codes.on(tables.day))
    labs = {kind: set(of_kind["code"]) for kind, of_kind in codes.labs.groupby("kind")}
    found: dict[tuple[str, str, str], str] = {}
    for key in set(keys):
        kind, vn, item = key
        wanted = labs[kind] if kind in labs and not item else {item}
        if rows := sheet_rows.of(SERVICES[kind], vn, wanted):
            found[key] = to_json(rows)
    return found


def records_of_rows(claim_rows: ClaimRows, keys: Iterable[ItemKey]) -> dict[tuple[str, str, str], str]:
    """The officer's own rows of claims as JSON, in the form of `records_of`.

    For a claim without a faulty row it is the text that `records_of` makes of its tables. Faulty rows, and rows that
    may belong to the claim, are included without the values of their faulty cells.

    Args:
        claim_rows: All rows of the workbook.
        keys: The claims; those without a row are left out.
    """
    return {
        key: to_json([typed_row(row) for row in sorted(claim_rows.rows[key], key=_lab_code)])
        for key in set(keys)
        if key in claim_rows.rows
    }


def _lab_code(row: Row) -> str:
    return str(row.values.get("lab_code", "~"))


def hold_back_faulty(
    made: Transformed, claim_rows: ClaimRows, day: date, hcode: str, conflicting: Collection[Claim]
) -> Transformed:
    """Hold back the claims of a day that have a faulty row, or whose visit number is another visit's.

    Args:
        made: The day's claims and issues.
        claim_rows: All rows of the workbook.
        day: The service day.
        hcode: The account's facility.
        conflicting: Claims whose visit number is another visit's in the ledger.

    Returns:
        The other claims; and the issues, with one for each faulty cell instead of those that the rules found in its
        column.
    """
    of_day = {key: rows for key, rows in claim_rows.rows.items() if claim_rows.value(key, "visit_date") == day}
    faulty = {key: [r for r in rows if r.faults] for key, rows in of_day.items()}
    faults = [issue for key, rows in faulty.items() for r in rows for issue in _as_issues(r, key, day, hcode)]
    conflicts = [number_taken_issue(c) for c in conflicting]
    known = {(i.vn, i.column) for i in faults}
    held_back = {key for key, rows in faulty.items() if rows} | {(c.kind, c.vn, c.item) for c in conflicting}
    return Transformed(
        tuple(c for c in made.claims if (c.kind, c.vn, c.item) not in held_back),
        (*(i for i in made.issues if (i.vn, i.column) not in known), *faults, *conflicts),
        made.counts,
    )


def _as_issues(row: Row, key: ItemKey, day: date, hcode: str) -> Iterator[Issue]:
    kind, vn, item = key
    layout = layouts()[row.layout]
    by_column: dict[str, Fault] = {layout.column(f.column).field: f for f in row.faults}
    for column, fault in by_column.items():
        yield Issue(
            hcode, kind, vn, str(row.values.get("hn", "")), item, day, fault.rule, "error", fault.message, column
        )


def number_taken_issue(c: Claim) -> Issue:
    """The issue of a claim whose visit number is another visit's."""
    rule = NUMBER_TAKEN
    return Issue(
        c.hcode, c.kind, c.vn, c.hn, c.item, c.service_date, rule.code, rule.severity, rule.sentence(), rule.column
    )
