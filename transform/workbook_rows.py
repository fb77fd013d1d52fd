"""Rows of a workbook and the claims they are part of: a claim goes when every row of it can be used."""

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

Part = tuple[Kind, str, str]
"""The claim a row is part of, within a facility: kind, vn, item."""

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
class Parts:
    """The rows of a workbook by the claim they are part of.

    Args:
        of: The claim of each row, by sheet and row number; rows of which it cannot be known are not among them.
        rows: The rows of each claim, and those that may belong to it.
    """

    of: Mapping[tuple[str, int], Part]
    rows: Mapping[Part, list[Row]]

    def said(self, part: Part, column: str) -> Value | None:
        """What the rows of a claim say in a column of the visit: of the first that says it, for others may be faulty there."""
        return next((row.values[column] for row in self.rows[part] if column in row.values), None)


def parts_of(rows: Iterable[Row], codes: Codes) -> Parts:
    """Which claim each row is part of; what repeats an earlier row is part of none."""
    labs: dict[str, tuple[Kind, str]] = {r["code"]: (r["kind"], "") for r in codes.labs.to_dict("records")}
    vaccines: dict[str, tuple[Kind, str]] = {
        r["code"]: (r["service"], r["code"]) for r in codes.vaccines.to_dict("records")
    }
    known = labs | vaccines
    of: dict[tuple[str, int], Part] = {}
    by_part: dict[Part, list[Row]] = defaultdict(list)
    loose: list[tuple[Row, str]] = []
    visits_of: dict[object, set[str]] = defaultdict(set)
    last = ""
    for row in rows:
        vn, code = row.values.get("vn"), row.values.get("lab_code", row.values.get("vaccine_code"))
        if isinstance(vn, str):
            visits_of[row.values.get("cid")].add(vn)
            last = vn
        if row.repeats:
            continue
        if isinstance(vn, str) and str(code) in known:
            kind, item = known[str(code)]
            of[row.sheet, row.number] = kind, vn, item
            by_part[kind, vn, item].append(row)
        elif row.layout == "dmht":
            loose.append((row, last))
    for row, before in loose:
        for part in _perhaps(row, before, visits_of, known):
            if part in by_part:
                by_part[part].append(row)
    return Parts(of, by_part)


def _perhaps(
    row: Row, before: str, visits_of: Mapping[object, set[str]], known: Mapping[str, tuple[Kind, str]]
) -> set[Part]:
    """The claims that a lab result may belong to which says not whose it is, or not what it is: none of them may go without.

    A row without visit and person goes on with the visit above it, as where its cells are merged.
    """
    vn, person, code = (row.values.get(name) for name in ("vn", "cid", "lab_code"))
    visits = {vn} if isinstance(vn, str) else visits_of.get(person, set()) if person else {before}
    kinds: set[Kind] = {known[str(code)][0]} if str(code) in known else {"dm", "ht"}
    return {(kind, visit, "") for kind in kinds for visit in visits}


def records_of(tables: DayTables, parts: Iterable[Part], codes: Codes) -> dict[tuple[str, str, str], str]:
    """What a workbook's rows would say of parts of a service day, as JSON; a part of which it can say nothing has none."""
    sheet_rows = SheetRows(tables)
    labs = {kind: set(of_kind["code"]) for kind, of_kind in codes.labs.groupby("kind")}
    found: dict[tuple[str, str, str], str] = {}
    for part in set(parts):
        kind, vn, item = part
        wanted = labs[kind] if kind in labs and not item else {item}
        if rows := sheet_rows.of(SERVICES[kind], vn, wanted):
            found[part] = to_json(rows)
    return found


def records_of_rows(parts: Parts, wanted: Iterable[Part]) -> dict[Part, str]:
    """The officer's own rows of claims as JSON, in the form of `records_of`.

    For claims without a faulty row it is the same text as `records_of` makes of their tables. Rows with faulty cells are
    given without the values of these cells, and rows that only may belong to a claim are given too.

    Args:
        parts: All rows of the workbook.
        wanted: The claims; those without a row are left out.
    """
    return {
        part: to_json([typed_row(row) for row in sorted(parts.rows[part], key=_lab_code)])
        for part in set(wanted)
        if part in parts.rows
    }


def _lab_code(row: Row) -> str:
    return str(row.values.get("lab_code", "~"))


def hold_back_faulty(made: Transformed, parts: Parts, day: date, hcode: str, taken: Collection[Claim]) -> Transformed:
    """What of a day's claims may go: none with a faulty row, none whose visit number is another's.

    Args:
        made: The day's claims and issues.
        parts: All rows of the workbook.
        day: The service day.
        hcode: The account's facility.
        taken: Claims whose visit number is another visit's in the ledger.

    Returns:
        The claims that go; and the issues, with one for each faulty cell in place of what the rules say of its column.
    """
    of_day = {part: rows for part, rows in parts.rows.items() if parts.said(part, "visit_date") == day}
    faulty = {part: [r for r in rows if r.faults] for part, rows in of_day.items()}
    faults = [issue for part, rows in faulty.items() for r in rows for issue in _as_issues(r, part, day, hcode)]
    numbers = [number_taken(c) for c in taken]
    known = {(i.vn, i.column) for i in faults}
    held_back = {part for part, rows in faulty.items() if rows} | {(c.kind, c.vn, c.item) for c in taken}
    return Transformed(
        tuple(c for c in made.claims if (c.kind, c.vn, c.item) not in held_back),
        (*(i for i in made.issues if (i.vn, i.column) not in known), *faults, *numbers),
        made.counts,
    )


def _as_issues(row: Row, part: Part, day: date, hcode: str) -> Iterator[Issue]:
    kind, vn, item = part
    layout = layouts()[row.layout]
    by_column: dict[str, Fault] = {layout.column(f.column).field: f for f in row.faults}
    for column, fault in by_column.items():
        yield Issue(
            hcode, kind, vn, str(row.values.get("hn", "")), item, day, fault.rule, "error", fault.message, column
        )


def number_taken(c: Claim) -> Issue:
    """That a claim's visit number is another visit's."""
    rule = NUMBER_TAKEN
    return Issue(
        c.hcode, c.kind, c.vn, c.hn, c.item, c.service_date, rule.code, rule.severity, rule.sentence(), rule.column
    )
