"""The first sheet of a result: totals, a chart, and links to the sheets to mend."""

from collections.abc import Sequence
from dataclasses import replace

from openpyxl.cell import Cell
from openpyxl.chart import BarChart, Reference
from openpyxl.chart.label import DataLabelList
from openpyxl.chart.layout import Layout, ManualLayout
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.drawing.text import CharacterProperties, Font, Paragraph, ParagraphProperties
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.worksheet import Worksheet

from core.messages import Message
from extract.workbook.layout import SUMMARY
from load.workbook.result_content import Count, Summary
from load.workbook.style import BORDER, CATEGORIES, DARK, FONT, LIGHT, MUTED, NUMBER, SLATE, WHITE, CellStyle
from load.workbook.writer import Content, WorkbookWriter, count_lines

HEADLINE = Message("ผลการส่งเบิก MOPH Claim", "Result of MOPH Claim")
KIND, OUTCOME = Message("ประเภท", "Kind"), Message("ผล", "Outcome")
CLAIMS, BAHT, TOTAL = Message("รายการ", "Claims"), Message("บาท", "Baht"), Message("รวม", "Total")
BY_CATEGORY = Message("จำนวนรายการตามประเภท", "Claims by kind")
BY_OUTCOME = Message("แยกตามผล", "By outcome")
NEXT_STEPS = Message("ทำต่อที่นี่", "Go on here")
NOTES, ABOUT = Message("ข้อสังเกต", "Notes"), Message("เกี่ยวกับไฟล์นี้", "About this file")

# The sheet is a grid of eight columns between two narrow margins.
COLUMNS, WIDTH = 8, 14.0
TOTAL_WIDTH = COLUMNS * WIDTH

Span = tuple[int, Content, CellStyle]
"""How many columns, their content, and their style."""


class _Grid:
    """A sheet that is written line by line, each line in a few merged cells."""

    def __init__(self, writer: WorkbookWriter, sheet: Worksheet) -> None:
        self.writer, self.sheet, self.row = writer, sheet, 0

    def add_line(self, *spans: Span, height: float = 21, link: str = "") -> None:
        self.row += 1
        cells: list[Cell | None] = [None]
        for width, content, style in spans:
            first = get_column_letter(len(cells) + 1)
            cells += [self.writer.cell(self.sheet, content, style)]
            cells += [self.writer.cell(self.sheet, None, style) for _ in range(width - 1)]
            if width > 1:
                self.sheet.merged_cells.add(f"{first}{self.row}:{get_column_letter(len(cells))}{self.row}")
        if link and cells[1]:
            self._link(cells[1], link)
        self.sheet.row_dimensions[self.row].height = height
        self.sheet.append(cells)

    def _link(self, cell: Cell, title: str) -> None:
        """Link a line's first cell to another sheet."""
        cell.hyperlink = Hyperlink(ref="", location=f"{quote_sheetname(title)}!A1")
        # openpyxl sets the coordinate that the cell had before it was appended.
        cell.hyperlink.ref = f"B{self.row}"

    def add_text(self, text: str, style: CellStyle, link: str = "") -> None:
        """Add a paragraph, as high as its text."""
        self.add_line(
            (COLUMNS, text, replace(style, wrap=True)), height=6 + 16 * count_lines(text, TOTAL_WIDTH * 0.95), link=link
        )

    def add_gap(self, height: float = 12) -> None:
        self.add_line(height=height)


def add_summary(writer: WorkbookWriter, summary: Summary, to_mend: Sequence[tuple[str, int]]) -> None:
    """Add the sheet.

    Args:
        writer: The workbook.
        summary: What it shows.
        to_mend: The sheets to mend: title and number of rows.
    """
    sheet = writer.add_sheet(writer.free_title(writer.say(SUMMARY)), [2, *[WIDTH] * COLUMNS, 2], portrait=True)
    sheet.sheet_properties.tabColor = SLATE
    sheet.sheet_view.showGridLines = False
    grid = _Grid(writer, sheet)
    grid.add_line((COLUMNS, writer.say(HEADLINE), CellStyle(SLATE, size=18, bold=True)), height=36)
    grid.add_text(writer.say(summary.headline), CellStyle(DARK, size=12))
    grid.add_gap()
    if summary.counts:
        _tiles(grid, summary.counts)
        _table_by_category(grid, summary.counts)
    _next_steps(grid, to_mend)
    if summary.counts:
        _table_by_outcome(grid, summary.counts)
    if summary.notes:
        _heading(grid, NOTES)
        for note in summary.notes:
            grid.add_text(f"•  {writer.say(note)}", CellStyle())
        grid.add_gap()
    if summary.facts:
        _heading(grid, ABOUT)
        for name, value in summary.facts:
            grid.add_line((2, writer.say(name), CellStyle(MUTED, align="left")), (COLUMNS - 2, value, CellStyle()))


def _tiles(grid: _Grid, counts: Sequence[Count]) -> None:
    """One large figure for each category."""
    claims = {category: sum(c.claims for c in counts if c.category == category) for category in CATEGORIES}
    baht = {category: sum(c.baht for c in counts if c.category == category) for category in CATEGORIES}
    style = {
        t: CellStyle(shade.ink, shade.fill, align="center", number_format=NUMBER) for t, shade in CATEGORIES.items()
    }
    money = f'{NUMBER}" {grid.writer.say(BAHT).lower()}"'
    width = COLUMNS // len(CATEGORIES)
    grid.add_line(
        *((width, grid.writer.say(s.name), replace(style[t], bold=True)) for t, s in CATEGORIES.items()), height=26
    )
    grid.add_line(*((width, claims[t], replace(style[t], size=26, bold=True)) for t in CATEGORIES), height=44)
    grid.add_line(*((width, baht[t], replace(style[t], number_format=money)) for t in CATEGORIES), height=26)
    grid.add_gap(18)


def _table_by_category(grid: _Grid, counts: Sequence[Count]) -> None:
    """A line for each kind, a column for each category, and the chart of them."""
    say = grid.writer.say
    head, figure = _heading_style(), CellStyle(align="right", number_format=NUMBER, border_colour=BORDER)
    _heading(grid, BY_CATEGORY)
    heads = [(1, say(shade.name), replace(head, colour=shade.ink, fill=shade.fill)) for shade in CATEGORIES.values()]
    grid.add_line((2, say(KIND), replace(head, align="left")), *heads, (1, say(TOTAL), head), (1, say(BAHT), head))
    first = grid.row
    for kind in dict.fromkeys(c.kind for c in counts):
        of_kind = [c for c in counts if c.kind == kind]
        # None instead of 0, which the chart would write beside the bars.
        figures = [sum(c.claims for c in of_kind if c.category == category) or None for category in CATEGORIES]
        sums = [sum(c.claims for c in of_kind), sum(c.baht for c in of_kind)]
        grid.add_line(
            (2, say(kind), CellStyle(align="left", border_colour=BORDER)), *((1, n, figure) for n in [*figures, *sums])
        )
    last, kinds = grid.row, grid.row - first
    grid.add_gap()
    longest = max(sum(c.claims for c in counts if c.kind == kind) for kind in {c.kind for c in counts})
    chart = _chart(grid.sheet, first, last, longest)
    height = 3 + 2 * kinds
    corners = (AnchorMarker(col=col, row=row) for col, row in ((1, grid.row), (1 + COLUMNS, grid.row + height)))
    chart.anchor = TwoCellAnchor("twoCell", *corners)  # type: ignore[assignment]
    grid.sheet.add_chart(chart)
    for _ in range(height + 1):
        grid.add_gap(18)


def _chart(sheet: Worksheet, first: int, last: int, longest: int) -> BarChart:
    chart = BarChart()
    chart.type, chart.grouping, chart.overlap, chart.gapWidth = "bar", "stacked", 100, 45
    chart.add_data(
        Reference(sheet, min_col=4, max_col=3 + len(CATEGORIES), min_row=first, max_row=last), titles_from_data=True
    )
    chart.set_categories(Reference(sheet, min_col=2, min_row=first + 1, max_row=last))
    for series, shade in zip(chart.series, CATEGORIES.values(), strict=True):
        series.graphicalProperties = GraphicalProperties(solidFill=shade.strong)
        series.graphicalProperties.line = LineProperties(solidFill=WHITE)
    # Only the accepted claims are labelled: figures of short bars would overlap, and the table above has them all.
    labels = chart.series[0].dLbls = DataLabelList(showVal=True)
    for other in ("showSerName", "showCatName", "showLegendKey", "showPercent"):
        setattr(labels, other, False)
    labels.txPr = _chart_text(WHITE, bold=True)
    chart.x_axis.scaling.orientation = "maxMin"
    chart.y_axis.scaling.min, chart.y_axis.scaling.max = 0, longest
    chart.x_axis.delete, chart.y_axis.delete = False, True
    chart.x_axis.txPr = chart.legend.txPr = _chart_text(DARK)
    chart.x_axis.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=BORDER))
    chart.y_axis.majorGridlines = None
    chart.legend.position = "b"
    chart.layout = Layout(ManualLayout(xMode="edge", yMode="edge", x=0.2, y=0.03, w=0.78, h=0.8))
    chart.graphical_properties = GraphicalProperties(ln=LineProperties(noFill=True))
    return chart


def _chart_text(colour: str, *, bold: bool = False) -> RichText:
    letters = CharacterProperties(sz=1000, b=bold, solidFill=colour, latin=Font(typeface=FONT), cs=Font(typeface=FONT))
    return RichText(p=[Paragraph(pPr=ParagraphProperties(defRPr=letters), endParaRPr=letters)])


def _next_steps(grid: _Grid, to_mend: Sequence[tuple[str, int]]) -> None:
    if not to_mend:
        return
    _heading(grid, NEXT_STEPS)
    for title, rows in to_mend:
        text = Message(
            f"→  แผ่นงาน “{title}” มี {rows:,} แถวที่ต้องแก้ไข แก้ในแผ่นงานนั้น บันทึก แล้วนำเข้าไฟล์นี้",
            f"→  Sheet “{title}” has {rows:,} rows to mend: mend them there, save, and import this file.",
        )
        grid.add_text(grid.writer.say(text), CellStyle(CATEGORIES["refused"].ink, bold=True), link=title)
    grid.add_gap()


def _table_by_outcome(grid: _Grid, counts: Sequence[Count]) -> None:
    say = grid.writer.say
    text, figure = (
        CellStyle(align="left", border_colour=BORDER),
        CellStyle(align="right", number_format=NUMBER, border_colour=BORDER),
    )
    head = _heading_style()
    left = replace(head, align="left")
    _heading(grid, BY_OUTCOME)
    grid.add_line((2, say(KIND), left), (4, say(OUTCOME), left), (1, say(CLAIMS), head), (1, say(BAHT), head))
    previous = None
    for c in counts:
        kind, previous = ("" if c.kind == previous else say(c.kind)), c.kind
        of_category = replace(text, colour=CATEGORIES[c.category].ink, fill=CATEGORIES[c.category].fill)
        grid.add_line((2, kind, text), (4, say(c.outcome), of_category), (1, c.claims, figure), (1, c.baht, figure))
    claims, baht = sum(c.claims for c in counts), sum(c.baht for c in counts)
    total = replace(figure, bold=True, fill=LIGHT)
    grid.add_line((6, say(TOTAL), replace(total, align="left")), (1, claims, total), (1, baht, total))
    grid.add_gap()


def _heading(grid: _Grid, text: Message) -> None:
    grid.add_line((COLUMNS, grid.writer.say(text), CellStyle(SLATE, size=12, bold=True)), height=26)


def _heading_style() -> CellStyle:
    return CellStyle(WHITE, SLATE, bold=True, align="center", border_colour=BORDER)
