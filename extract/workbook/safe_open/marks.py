"""What a sheet says of its cells beside their values: broken and struck-through cells, dates, hidden rows; and merged ranges."""

import re
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Literal

Why = Literal["error", "uncalculated"]
BrokenCells = dict[int, dict[int, Why]]
"""Why cells have no value (an error, a formula that was never calculated), by row, then by column, from 0."""
MergedRange = tuple[tuple[int, int], tuple[int, int]]
"""The first and the last cell of a merged range, each as row and column from 0."""
Cells = dict[int, list[int]]
"""The columns of cells by row, from 0."""

THAI_DAYS = frozenset(range(71, 82))
"""The numbers of Excel's own Thai formats of days and times (ECMA-376 part 1, 18.8.30), which the reader does not know."""
# Letters of days and times in Thai formats: day, month, year, hour, minute, second. What is quoted or escaped is none.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_THAI_DAY = re.compile(r"[^ก-๛0#?]*[วดปชนท](?:[วดปชนท]|[^ก-๛0#?]|(?<=ท)\.0+)*")


@dataclass(slots=True)
class Marks:
    """The marks of one sheet, rows and columns from 0.

    Args:
        broken: Cells without a value.
        days: Numbers that a Thai format shows as a day or time.
        struck: Struck-through cells with a value.
        hidden: Hidden and filtered rows with a value.
    """

    broken: BrokenCells = field(default_factory=dict)
    days: Cells = field(default_factory=dict)
    struck: Cells = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Styles:
    """The numbers of a workbook's cell styles that matter.

    Args:
        days: Those that show a number as a day or time in Thai.
        struck: Those that strike text through.
    """

    days: Set[int] = frozenset()
    struck: Set[int] = frozenset()


def is_thai_day(number: int, code: str) -> bool:
    """Whether a number format shows a day or time as only Thai programs do: by its number, or by Thai letters in its code."""
    return (
        number in THAI_DAYS if not code else _THAI_DAY.fullmatch(_LITERAL.sub("", code.partition(";")[0])) is not None
    )
