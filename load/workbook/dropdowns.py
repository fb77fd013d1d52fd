"""The drop-downs: what they offer stands in a hidden sheet, under names that columns of other sheets refer to."""

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
KEEP_IT = Message(
    "ค่านี้ไม่มีในรายการ ถ้าเป็นรหัสหรือคำอื่นที่มีความหมายเดียวกัน กดยืนยันเพื่อใช้ค่านี้ได้",
    "This is not in the list. A code or another word that means the same may be kept: confirm it.",
)
# Excel calls a file broken that goes beyond.
PROMPT_TITLE, PROMPT, ERROR = 32, 255, 225


class Dropdowns:
    """The drop-downs of one workbook.

    Args:
        paper: The workbook.
        choices: Every drop-down by its name.
    """

    def __init__(self, paper: WorkbookWriter, choices: Choices) -> None:
        self._paper = paper
        self.choices = choices
        self._names: dict[tuple[str, ...], str] = {}
        self._labels = {name: {c.value: c.label for c in some} for name, some in choices.items()}

    def label(self, column: Column, value: str) -> str:
        """What a person reads for a value; the value itself where the column has no list or the list no label."""
        return self._labels.get(column.choices, {}).get(value, value)

    def rule(self, column: Column, sheet: SheetName) -> DataValidation | None:
        """The column's drop-down, or what it tells whoever types; none for a column that needs neither."""
        say, heading = self._paper.say, self._paper.say(column.heading)
        prompt = say(column.help)
        rule = DataValidation(allow_blank=True, promptTitle=heading[:PROMPT_TITLE], prompt=prompt[:PROMPT] or None)
        rule.showInputMessage = bool(prompt)
        if offered := self._offered(column, sheet):
            rule.type, rule.formula1 = "list", self._name(column, sheet, offered)
            # Other spellings can be kept: the reader knows many more than the list shows.
            rule.errorStyle, rule.showErrorMessage = "warning", column.type != "suggest"
            rule.errorTitle, rule.error = say(NOT_LISTED)[:PROMPT_TITLE], say(KEEP_IT)[:ERROR]
            return rule
        return rule if column.type == "date" and prompt else None

    def add_sheet(self) -> None:
        """Write the hidden sheet and the names; after every sheet that has a drop-down."""
        if not self._names:
            return
        paper = self._paper
        sheet = paper.sheet(paper.title(paper.say(TITLE)), [30] * len(self._names), hidden=True)
        sheet.append([paper.cell(sheet, name, CellStyle(bold=True)) for name in self._names.values()])
        for row in zip_longest(*self._names):
            sheet.append([paper.cell(sheet, label, CellStyle(number_format="@")) for label in row])
        for n, (labels, name) in enumerate(self._names.items(), start=1):
            column = get_column_letter(n)
            place = f"{quote_sheetname(sheet.title)}!${column}$2:${column}${len(labels) + 1}"
            paper.book.defined_names[name] = DefinedName(name, attr_text=place)

    def _offered(self, column: Column, sheet: SheetName) -> tuple[str, ...]:
        some = self.choices.get(column.choices, ())
        return tuple(dict.fromkeys(c.label for c in some if not c.sheets or sheet in c.sheets))

    def _name(self, column: Column, sheet: SheetName, offered: tuple[str, ...]) -> str:
        if offered not in self._names:
            alike = all(not c.sheets for c in self.choices[column.choices])
            self._names[offered] = self._paper.name(f"list_{column.choices}" + ("" if alike else f"_{sheet}"))
        return self._names[offered]
