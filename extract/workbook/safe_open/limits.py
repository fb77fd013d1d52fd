"""The limits on a workbook, and how far its sheets reach."""

from dataclasses import dataclass

from extract.workbook.safe_open.refusals import TOO_FAR, TOO_WIDE, FileRefused


@dataclass(frozen=True, slots=True)
class Limits:
    """`WorkbookSettings` without pydantic, which the reading process must not spend time importing."""

    max_megabytes: int
    max_unpacked_megabytes: int
    max_rows: int
    max_columns: int
    read_seconds: int
    read_megabytes: int


class Extent:
    """How far the cells of one workbook's sheets reach; empty cells do not count.

    Args:
        limits: Workbooks beyond them are refused.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sheet = ""
        self._columns = limits.max_columns
        self._last = -1
        self._end = limits.max_rows

    def begin(self, sheet: str) -> None:
        """Begin a new sheet; the rows of the one before count against the limit of the workbook."""
        self._end -= self._last + 1
        self._sheet, self._last = sheet, -1

    def reach(self, row: int, column: int) -> None:
        """Count a cell that is not empty; row and column from 0.

        Raises:
            FileRefused: It is beyond the limits.
        """
        if row > self._last:
            self._last = row
        if row >= self._end or column >= self._columns:
            raise FileRefused(
                TOO_FAR if row >= self._end else TOO_WIDE,
                sheet=self._sheet,
                cell=address(row, column),
                rows=f"{self._limits.max_rows:,}",
                columns=self._limits.max_columns,
            )


def address(row: int, column: int) -> str:
    """A cell's address, such as C5; row and column from 0."""
    letters, left = "", column + 1
    while left:
        left, letter = divmod(left - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row + 1}"
