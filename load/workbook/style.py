"""The styles of our sheets: one font, and few and calm colours."""

from dataclasses import dataclass
from typing import Literal

from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from core.messages import Message

# Comes with Windows and with Excel for Mac; other systems replace it by a Thai font of theirs.
FONT = "Tahoma"
WHITE, LIGHT, BORDER, MUTED, SLATE, DARK = "FFFFFF", "F6F8F9", "D5DDE1", "78868E", "455A64", "263238"
FAULTY = "F9C9C2"
MISSING = "FFF3C9"

TEXT, TIME, NUMBER, GENERAL = "@", "hh:mm", "#,##0", "General"
DATE = '[>=182623]dd/mm/yyyy" พ.ศ.";dd/mm/yyyy" ค.ศ."'
"""Shows whether a year is read as Buddhist or CE. 182623 is 1 January 2400, in days."""

OutcomeCategory = Literal["accepted", "waiting", "refused", "aside"]
"""What an outcome means for the officer: accepted; sent again by itself or to be checked; to mend; nothing to do."""


@dataclass(frozen=True, slots=True)
class CategoryColours:
    """A category's name and its colours, RGB in hex: of text, of cells, and of bars in the chart."""

    name: Message
    ink: str
    fill: str
    strong: str


CATEGORIES: dict[OutcomeCategory, CategoryColours] = {
    "accepted": CategoryColours(Message("รับแล้ว", "Taken"), "1E6B45", "DFF1E6", "5AA57C"),
    "waiting": CategoryColours(Message("รอดำเนินการ", "Waiting"), "8A5A00", "FFF0CF", "E3B04B"),
    "refused": CategoryColours(Message("ต้องแก้ไข", "To mend"), "9C2F24", "FBE2DE", "D2695C"),
    "aside": CategoryColours(Message("ไม่ต้องทำต่อ", "Nothing to do"), "55636B", "E9EDEF", "A3AFB6"),
}


@dataclass(frozen=True, slots=True)
class CellStyle:
    """How a cell looks. Colours are RGB in hex, "" is none.

    Args:
        colour: Colour of the text.
        fill: Colour of the background.
        size: Size of the text, in points.
        bold: Whether the text is bold.
        italic: Whether the text is italic.
        number_format: Number format, in Excel's notation.
        align: Horizontal alignment; "" for Excel's default.
        wrap: Whether long text is wrapped.
        border_colour: Colour of the borders.
        quote_prefix: Whether text that begins like a formula stays text when somebody edits it.
    """

    colour: str = DARK
    fill: str = ""
    size: float = 10
    bold: bool = False
    italic: bool = False
    number_format: str = GENERAL
    align: Literal["", "left", "center", "right"] = ""
    wrap: bool = False
    border_colour: str = ""
    quote_prefix: bool = False

    def font(self) -> Font:
        """The font, for openpyxl."""
        return Font(name=FONT, size=self.size, bold=self.bold, italic=self.italic, color=self.colour)

    def alignment(self) -> Alignment:
        """The alignment, for openpyxl."""
        indent = 1 if self.align in ("left", "right") else 0
        return Alignment(horizontal=self.align or None, vertical="center", wrap_text=self.wrap, indent=indent)

    def border(self) -> Border:
        """The borders, for openpyxl."""
        side = Side(style="thin", color=self.border_colour) if self.border_colour else Side()
        return Border(left=side, right=side, top=side, bottom=side)


def solid_fill(colour: str) -> PatternFill:
    """A fill of one colour."""
    return PatternFill("solid", start_color=colour, end_color=colour)


def tint(colour: str, share: float) -> str:
    """The colour mixed with that share of white."""
    channels = (int(colour[i : i + 2], 16) for i in (0, 2, 4))
    return "".join(f"{round(channel + (255 - channel) * share):02X}" for channel in channels)


def outcome_style(category: OutcomeCategory) -> CellStyle:
    """The style of a cell that shows an outcome."""
    return CellStyle(colour=CATEGORIES[category].ink, fill=CATEGORIES[category].fill, bold=True, align="left")
