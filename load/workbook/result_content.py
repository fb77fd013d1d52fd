"""What a result workbook shows: the outcome of each row, the rows to mend, and the totals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.messages import Message
from extract.workbook.layout import SheetName
from extract.workbook.rows import CellValue, Row, Value
from load.workbook.style import OutcomeCategory


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell to mark in colour, with a note.

    Args:
        column: The layout column's name.
        message: What is wrong with it, and what to do.
    """

    column: str
    message: Message = field(repr=False)


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """The outcome of one row.

    Args:
        sheet: The sheet's name in the officer's file; "" for a row that comes from the HIS.
        number: The row's number in that sheet, from 1; 0 for a row that comes from the HIS.
        category: What the outcome means for the officer.
        outcome: The outcome in a few words.
        transaction_uid: MOPH Claim's number for the claim, once it was accepted.
        reason: Why, and what to do.
        marks: The cells that are at fault.
        mendable: Whether the row can be claimed once the officer has corrected it.
    """

    sheet: str
    number: int
    category: OutcomeCategory
    outcome: Message
    transaction_uid: str | None = None
    reason: Message | None = field(default=None, repr=False)
    marks: tuple[Mark, ...] = ()
    mendable: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Mendable:
    """A row that the officer can correct and import again.

    Args:
        layout: The kind of sheet it belongs to.
        values: Its cells as they were understood, by column name.
        raw: Its cells as they are in the file, by column name; shown where there is no value.
        row_outcome: Its outcome.
    """

    layout: SheetName
    values: Mapping[str, Value]
    raw: Mapping[str, CellValue]
    row_outcome: RowOutcome


def mendable_rows(rows: Iterable[Row], outcomes: Iterable[RowOutcome]) -> list[Mendable]:
    """The rows of a workbook that the officer can correct, in the workbook's order."""
    by_place = {(outcome.sheet, outcome.number): outcome for outcome in outcomes if outcome.mendable}
    pairs = ((row, by_place.get((row.sheet, row.number))) for row in rows)
    return [Mendable(row.layout, row.values, row.raw, outcome) for row, outcome in pairs if outcome]


@dataclass(frozen=True, slots=True)
class Count:
    """Claims of one kind with one outcome.

    Args:
        kind: The kind's name.
        outcome: The outcome in a few words.
        category: What it means for the officer.
        claims: How many.
        baht: Their total.
    """

    kind: Message
    outcome: Message
    category: OutcomeCategory
    claims: int
    baht: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What the first sheet of a result shows.

    Args:
        headline: The result in one sentence.
        counts: By kind and outcome, in the order they are shown.
        facts: Names and values: the file and its hash, the run, the days.
        notes: What else the officer should know: columns and sheets that were not read.
    """

    headline: Message
    counts: Sequence[Count]
    facts: Sequence[tuple[Message, str]] = ()
    notes: Sequence[Message] = ()
