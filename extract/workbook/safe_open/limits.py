"""How much of a workbook is read at most, and how far its sheets reach."""

from dataclasses import dataclass

from extract.workbook.safe_open.refusals import TOO_FAR, FileRefused


@dataclass(frozen=True, slots=True)
class Limits:
    """`WorkbookSettings` for the process that reads, which is spared the time to load pydantic."""

    max_megabytes: int
    max_unpacked_megabytes: int
    max_rows: int
    max_columns: int
    read_seconds: int
    read_megabytes: int


class Extent:
    """How far the sheets of one workbook reach, counting cells that hold something.

    Args:
        limits: Beyond which the workbook is refused.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sheet = ""
        self._columns = limits.max_columns
        self._last = -1
        self._end = limits.max_rows

    def begin(self, sheet: str) -> None:
        """A new sheet begins: the rows of the one before are spent."""
        self._end -= self._last + 1
        self._sheet, self._last = sheet, -1

    def reach(self, row: int, column: int) -> None:
        """A cell of the sheet holds something; both count from 0.

        Raises:
            NotRead: It lies too far out.
        """
        if row > self._last:
            self._last = row
        if row >= self._end or column >= self._columns:
            raise FileRefused(
                TOO_FAR,
                sheet=self._sheet,
                cell=address(row, column),
                rows=f"{self._limits.max_rows:,}",
                columns=self._limits.max_columns,
            )


def address(row: int, column: int) -> str:
    """A cell as spreadsheet programs call it, such as C5; both count from 0."""
    letters, left = "", column + 1
    while left:
        left, letter = divmod(left - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row + 1}"
