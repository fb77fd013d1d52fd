"""The drop-downs: their entries are in a hidden sheet, as named ranges that the columns of other sheets refer to."""

from itertools import zip_longest

from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation

from core.messages import Message
from extract.workbook.layout import Choices, Column, SheetName
from load.workbook.style import CellStyle
from load.workbook.writer import WorkbookWriter

TITLE = Message("รายการ", "Lists")
NOT_LISTED = Message("ไม่มีในรายการ", "Not in the list")
MAY_BE_KEPT = Message(
    "ค่านี้ไม่มีในรายการ ถ้าเป็นรหัสหรือคำอื่นที่มีความหมายเดียวกัน กดยืนยันเพื่อใช้ค่านี้ได้",
    "This is not in the list. A code or another word that means the same may be kept: confirm it.",
)
# Excel reports a file with longer texts as damaged.
MAX_TITLE, MAX_PROMPT, MAX_ERROR = 32, 255, 225


class Dropdowns:
    """The drop-downs of one workbook.

    Args:
        writer: The workbook.
        choices: Every drop-down by its name.
    """

    def __init__(self, writer: WorkbookWriter, choices: Choices) -> None:
        self._writer = writer
        self.choices = choices
        self._names: dict[tuple[str, ...], str] = {}
        self._labels = {name: {c.value: c.label for c in entries} for name, entries in choices.items()}

    def label(self, column: Column, value: str) -> str:
        """The label that the drop-down shows for a value; the value itself if there is none."""
        return self._labels.get(column.choices, {}).get(value, value)

    def validation(self, column: Column, sheet: SheetName) -> DataValidation | None:
        """The column's drop-down, or the hint shown while somebody types a date; None for other columns."""
        say, heading = self._writer.say, self._writer.say(column.heading)
        prompt = say(column.help)
        validation = DataValidation(
            allow_blank=True, promptTitle=heading[:MAX_TITLE], prompt=prompt[:MAX_PROMPT] or None
        )
        validation.showInputMessage = bool(prompt)
        if offered := self._offered(column, sheet):
            validation.type, validation.formula1 = "list", self._name(column, sheet, offered)
            # A warning only: the reader understands more spellings than the list shows.
            validation.errorStyle, validation.showErrorMessage = "warning", column.type != "suggest"
            validation.errorTitle, validation.error = say(NOT_LISTED)[:MAX_TITLE], say(MAY_BE_KEPT)[:MAX_ERROR]
            return validation
        return validation if column.type == "date" and prompt else None

    def add_sheet(self) -> None:
        """Write the hidden sheet and the named ranges; to be called after every sheet that has a drop-down."""
        if not self._names:
            return
        writer = self._writer
        sheet = writer.add_sheet(writer.free_title(writer.say(TITLE)), [30] * len(self._names), hidden=True)
        sheet.append([writer.cell(sheet, name, CellStyle(bold=True)) for name in self._names.values()])
        for row in zip_longest(*self._names):
            sheet.append([writer.cell(sheet, label, CellStyle(number_format="@")) for label in row])
        for n, (labels, name) in enumerate(self._names.items(), start=1):
            column = get_column_letter(n)
            area = f"{quote_sheetname(sheet.title)}!${column}$2:${column}${len(labels) + 1}"
            writer.book.defined_names[name] = DefinedName(name, attr_text=area)

    def _offered(self, column: Column, sheet: SheetName) -> tuple[str, ...]:
        choices = self.choices.get(column.choices, ())
        return tuple(dict.fromkeys(c.label for c in choices if not c.sheets or sheet in c.sheets))

    def _name(self, column: Column, sheet: SheetName, offered: tuple[str, ...]) -> str:
        if offered not in self._names:
            same_in_all_sheets = all(not c.sheets for c in self.choices[column.choices])
            suffix = "" if same_in_all_sheets else f"_{sheet}"
            self._names[offered] = self._writer.free_name(f"list_{column.choices}{suffix}")
        return self._names[offered]
