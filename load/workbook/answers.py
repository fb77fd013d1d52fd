"""What a result workbook is told: what became of each row, which rows can be mended, and the sums."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.messages import Message
from extract.workbook.layout import SheetName
from extract.workbook.rows import CellValue, Row, Value
from load.workbook.style import OutcomeCategory


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell that an answer complains of.

    Args:
        column: The layout column's name.
        message: What is wrong with it, and what to do.
    """

    column: str
    message: Message = field(repr=False)


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """What became of one row.

    Args:
        sheet: The sheet's name in the officer's file; "" where there is none.
        number: The row's number there, from 1; 0 where there is none.
        tone: What the outcome is to the officer.
        outcome: The outcome, a few words.
        transaction_uid: What MOPH Claim calls it, once it was taken.
        reason: Why, and what to do.
        marks: The cells it is about.
        mendable: Whether it goes once it has been mended.
    """

    sheet: str
    number: int
    tone: OutcomeCategory
    outcome: Message
    transaction_uid: str | None = None
    reason: Message | None = field(default=None, repr=False)
    marks: tuple[Mark, ...] = ()
    mendable: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Mendable:
    """A row that did not pass and can be mended.

    Args:
        layout: Which kind of sheet it is for.
        values: What its cells mean, by column name.
        raw: Its cells as the file has them, by column name; shown where there is no value.
        answer: What became of it.
    """

    layout: SheetName
    values: Mapping[str, Value]
    raw: Mapping[str, CellValue]
    answer: RowAnswer


def to_mend(rows: Iterable[Row], answers: Iterable[RowAnswer]) -> list[Mendable]:
    """The rows of a workbook that can be mended, in its order."""
    told = {(a.sheet, a.number): a for a in answers if a.mendable}
    found = ((row, told.get((row.sheet, row.number))) for row in rows)
    return [Mendable(row.layout, row.values, row.raw, answer) for row, answer in found if answer]


@dataclass(frozen=True, slots=True)
class Count:
    """Claims of one kind with one outcome.

    Args:
        kind: The kind's name.
        outcome: The outcome, a few words.
        tone: What it is to the officer.
        claims: How many.
        baht: What they are worth.
    """

    kind: Message
    outcome: Message
    tone: OutcomeCategory
    claims: int
    baht: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What the first sheet of a result shows.

    Args:
        headline: One sentence: what came of it.
        counts: By kind and outcome, in the order they are shown.
        facts: What it is about, each a name and a value: the file and its hash, the run, the days.
        notes: What else a person should know: columns that mean nothing, sheets that were left out.
    """

    headline: Message
    counts: Sequence[Count]
    facts: Sequence[tuple[Message, str]] = ()
    notes: Sequence[Message] = ()
