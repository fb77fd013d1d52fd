"""How our sheets look: one font that has Thai everywhere, calm colours, and few of them."""

from dataclasses import dataclass
from typing import Literal

from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from core.messages import Message

# Windows and Excel for Mac bring it, and where it is missing every system has a Thai font that takes its place.
FONT = "Tahoma"
INK, MUTED, LINE, PAPER, SLATE = "263238", "78868E", "D5DDE1", "F6F8F9", "455A64"
FAULTY = "F9C9C2"
MISSING = "FFF3C9"

TEXT, TIME, NUMBER, GENERAL = "@", "hh:mm", "#,##0", "General"
DATE = '[>=182623]dd/mm/yyyy" พ.ศ.";dd/mm/yyyy" ค.ศ."'
"""182623 is 1 January 2400 in days: whoever types a year sees which calendar it was taken for."""

OutcomeCategory = Literal["taken", "waiting", "refused", "aside"]
"""What an outcome is to the officer: taken; goes by itself or needs a look; must be mended; nothing to do."""


@dataclass(frozen=True, slots=True)
class Shade:
    """A tone's name and colours, RGB in hex."""

    name: Message
    ink: str
    fill: str
    strong: str


TONES: dict[OutcomeCategory, Shade] = {
    "taken": Shade(Message("รับแล้ว", "Taken"), "1E6B45", "DFF1E6", "5AA57C"),
    "waiting": Shade(Message("รอดำเนินการ", "Waiting"), "8A5A00", "FFF0CF", "E3B04B"),
    "refused": Shade(Message("ต้องแก้ไข", "To mend"), "9C2F24", "FBE2DE", "D2695C"),
    "aside": Shade(Message("ไม่ต้องทำต่อ", "Nothing to do"), "55636B", "E9EDEF", "A3AFB6"),
}


@dataclass(frozen=True, slots=True)
class CellStyle:
    """How a cell looks. Colours are RGB in hex, "" is none.

    Args:
        colour: Of the text.
        fill: Of the ground.
        size: Of the text, in points.
        bold: Whether the text is.
        italic: Whether the text is.
        number_format: As Excel writes it.
        across: Where the text stands in the cell, "" as Excel likes it.
        wrap: Whether long text breaks into lines.
        line: Colour of its borders.
        quoted: Whether its text stays text when somebody edits it, though it begins like a formula.
    """

    colour: str = INK
    fill: str = ""
    size: float = 10
    bold: bool = False
    italic: bool = False
    number_format: str = GENERAL
    across: Literal["", "left", "center", "right"] = ""
    wrap: bool = False
    line: str = ""
    quoted: bool = False

    def font(self) -> Font:
        """Its font."""
        return Font(name=FONT, size=self.size, bold=self.bold, italic=self.italic, color=self.colour)

    def alignment(self) -> Alignment:
        """Where its text stands."""
        indent = 1 if self.across in ("left", "right") else 0
        return Alignment(horizontal=self.across or None, vertical="center", wrap_text=self.wrap, indent=indent)

    def border(self) -> Border:
        """Its borders."""
        side = Side(style="thin", color=self.line) if self.line else Side()
        return Border(left=side, right=side, top=side, bottom=side)


def ground(colour: str) -> PatternFill:
    """A plain fill."""
    return PatternFill("solid", start_color=colour, end_color=colour)


def tint(colour: str, share: float) -> str:
    """The colour mixed with that share of white."""
    parts = (int(colour[i : i + 2], 16) for i in (0, 2, 4))
    return "".join(f"{round(part + (255 - part) * share):02X}" for part in parts)


def outcome_style(tone: OutcomeCategory) -> CellStyle:
    """Of a cell that says an outcome."""
    return CellStyle(colour=TONES[tone].ink, fill=TONES[tone].fill, bold=True, across="left")
