"""The first sheet of a result: what came of it, in figures and a picture, and where to go on."""

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
from load.workbook.answers import Count, Summary
from load.workbook.style import FONT, INK, LINE, MUTED, NUMBER, PAPER, SLATE, TONES, CellStyle
from load.workbook.writer import Content, WorkbookWriter, lines

HEADLINE = Message("ผลการส่งเบิก MOPH Claim", "Result of MOPH Claim")
KIND, OUTCOME = Message("ประเภท", "Kind"), Message("ผล", "Outcome")
CLAIMS, BAHT, TOTAL = Message("รายการ", "Claims"), Message("บาท", "Baht"), Message("รวม", "Total")
BY_TONE = Message("จำนวนรายการตามประเภท", "Claims by kind")
BY_OUTCOME = Message("แยกตามผล", "By outcome")
GO_ON = Message("ทำต่อที่นี่", "Go on here")
NOTES, ABOUT = Message("ข้อสังเกต", "Notes"), Message("เกี่ยวกับไฟล์นี้", "About this file")

# Everything stands on a grid of eight columns between two narrow margins.
COLUMNS, WIDTH = 8, 14.0
ALL = COLUMNS * WIDTH

Span = tuple[int, Content, CellStyle]
"""So many columns, what stands in them, and how it looks."""


class _Grid:
    """A sheet written line by line, each line in a few wide cells."""

    def __init__(self, paper: WorkbookWriter, sheet: Worksheet) -> None:
        self.paper, self.sheet, self.row = paper, sheet, 0

    def line(self, *spans: Span, height: float = 21, link: str = "") -> None:
        self.row += 1
        cells: list[Cell | None] = [None]
        for width, content, look in spans:
            first = get_column_letter(len(cells) + 1)
            cells += [self.paper.cell(self.sheet, content, look)]
            cells += [self.paper.cell(self.sheet, None, look) for _ in range(width - 1)]
            if width > 1:
                self.sheet.merged_cells.add(f"{first}{self.row}:{get_column_letter(len(cells))}{self.row}")
        if link and cells[1]:
            self._lead(cells[1], link)
        self.sheet.row_dimensions[self.row].height = height
        self.sheet.append(cells)

    def _lead(self, cell: Cell, title: str) -> None:
        """Make the line's first cell lead to another sheet."""
        cell.hyperlink = Hyperlink(ref="", location=f"{quote_sheetname(title)}!A1")
        # openpyxl takes the place the cell had before it was appended.
        cell.hyperlink.ref = f"B{self.row}"

    def text(self, text: str, look: CellStyle, link: str = "") -> None:
        """A paragraph, as high as it needs."""
        self.line((COLUMNS, text, replace(look, wrap=True)), height=6 + 16 * lines(text, ALL * 0.95), link=link)

    def gap(self, height: float = 12) -> None:
        self.line(height=height)


def add_summary(paper: WorkbookWriter, summary: Summary, to_mend: Sequence[tuple[str, int]]) -> None:
    """Add the sheet.

    Args:
        paper: The workbook.
        summary: What it shows.
        to_mend: The sheets for mending: title and rows.
    """
    sheet = paper.sheet(paper.title(paper.say(SUMMARY)), [2, *[WIDTH] * COLUMNS, 2], portrait=True)
    sheet.sheet_properties.tabColor = SLATE
    sheet.sheet_view.showGridLines = False
    grid = _Grid(paper, sheet)
    grid.line((COLUMNS, paper.say(HEADLINE), CellStyle(SLATE, size=18, bold=True)), height=36)
    grid.text(paper.say(summary.headline), CellStyle(INK, size=12))
    grid.gap()
    if summary.counts:
        _tiles(grid, summary.counts)
        _table_by_tone(grid, summary.counts)
    _go_on(grid, to_mend)
    if summary.counts:
        _table_by_outcome(grid, summary.counts)
    if summary.notes:
        _heading(grid, NOTES)
        for note in summary.notes:
            grid.text(f"•  {paper.say(note)}", CellStyle())
        grid.gap()
    if summary.facts:
        _heading(grid, ABOUT)
        for name, value in summary.facts:
            grid.line((2, paper.say(name), CellStyle(MUTED, across="left")), (COLUMNS - 2, value, CellStyle()))


def _tiles(grid: _Grid, counts: Sequence[Count]) -> None:
    """One large figure a tone."""
    claims = {tone: sum(c.claims for c in counts if c.tone == tone) for tone in TONES}
    baht = {tone: sum(c.baht for c in counts if c.tone == tone) for tone in TONES}
    look = {t: CellStyle(shade.ink, shade.fill, across="center", number_format=NUMBER) for t, shade in TONES.items()}
    money = f'{NUMBER}" {grid.paper.say(BAHT).lower()}"'
    width = COLUMNS // len(TONES)
    grid.line(*((width, grid.paper.say(s.name), replace(look[t], bold=True)) for t, s in TONES.items()), height=26)
    grid.line(*((width, claims[t], replace(look[t], size=26, bold=True)) for t in TONES), height=44)
    grid.line(*((width, baht[t], replace(look[t], number_format=money)) for t in TONES), height=26)
    grid.gap(18)


def _table_by_tone(grid: _Grid, counts: Sequence[Count]) -> None:
    """A line a kind, a column a tone, and the chart that is drawn of them."""
    say = grid.paper.say
    head, figure = _head(), CellStyle(across="right", number_format=NUMBER, line=LINE)
    _heading(grid, BY_TONE)
    heads = [(1, say(shade.name), replace(head, colour=shade.ink, fill=shade.fill)) for shade in TONES.values()]
    grid.line((2, say(KIND), replace(head, across="left")), *heads, (1, say(TOTAL), head), (1, say(BAHT), head))
    first = grid.row
    for kind in dict.fromkeys(c.kind for c in counts):
        of_kind = [c for c in counts if c.kind == kind]
        # An empty cell instead of 0: the chart would write it beside the bars.
        figures = [sum(c.claims for c in of_kind if c.tone == tone) or None for tone in TONES]
        sums = [sum(c.claims for c in of_kind), sum(c.baht for c in of_kind)]
        grid.line((2, say(kind), CellStyle(across="left", line=LINE)), *((1, n, figure) for n in [*figures, *sums]))
    last, kinds = grid.row, grid.row - first
    grid.gap()
    longest = max(sum(c.claims for c in counts if c.kind == kind) for kind in {c.kind for c in counts})
    chart = _chart(grid.sheet, first, last, longest)
    high = 3 + 2 * kinds
    place = (AnchorMarker(col=col, row=row) for col, row in ((1, grid.row), (1 + COLUMNS, grid.row + high)))
    chart.anchor = TwoCellAnchor("twoCell", *place)  # type: ignore[assignment]
    grid.sheet.add_chart(chart)
    for _ in range(high + 1):
        grid.gap(18)


def _chart(sheet: Worksheet, first: int, last: int, longest: int) -> BarChart:
    chart = BarChart()
    chart.type, chart.grouping, chart.overlap, chart.gapWidth = "bar", "stacked", 100, 45
    chart.add_data(
        Reference(sheet, min_col=4, max_col=3 + len(TONES), min_row=first, max_row=last), titles_from_data=True
    )
    chart.set_categories(Reference(sheet, min_col=2, min_row=first + 1, max_row=last))
    for series, shade in zip(chart.series, TONES.values(), strict=True):
        series.graphicalProperties = GraphicalProperties(solidFill=shade.strong)
        series.graphicalProperties.line = LineProperties(solidFill="FFFFFF")
    # The figures of short bars would lie upon one another; they stand in the table above.
    taken = chart.series[0].dLbls = DataLabelList(showVal=True)
    for other in ("showSerName", "showCatName", "showLegendKey", "showPercent"):
        setattr(taken, other, False)
    taken.txPr = _chart_text("FFFFFF", bold=True)
    chart.x_axis.scaling.orientation = "maxMin"
    chart.y_axis.scaling.min, chart.y_axis.scaling.max = 0, longest
    chart.x_axis.delete, chart.y_axis.delete = False, True
    chart.x_axis.txPr = chart.legend.txPr = _chart_text(INK)
    chart.x_axis.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=LINE))
    chart.y_axis.majorGridlines = None
    chart.legend.position = "b"
    chart.layout = Layout(ManualLayout(xMode="edge", yMode="edge", x=0.2, y=0.03, w=0.78, h=0.8))
    chart.graphical_properties = GraphicalProperties(ln=LineProperties(noFill=True))
    return chart


def _chart_text(colour: str, *, bold: bool = False) -> RichText:
    letters = CharacterProperties(sz=1000, b=bold, solidFill=colour, latin=Font(typeface=FONT), cs=Font(typeface=FONT))
    return RichText(p=[Paragraph(pPr=ParagraphProperties(defRPr=letters), endParaRPr=letters)])


def _go_on(grid: _Grid, to_mend: Sequence[tuple[str, int]]) -> None:
    if not to_mend:
        return
    _heading(grid, GO_ON)
    for title, rows in to_mend:
        text = Message(
            f"→  แผ่นงาน “{title}” มี {rows:,} แถวที่ต้องแก้ไข แก้ในแผ่นงานนั้น บันทึก แล้วนำเข้าไฟล์นี้",
            f"→  Sheet “{title}” has {rows:,} rows to mend: mend them there, save, and import this file.",
        )
        grid.text(grid.paper.say(text), CellStyle(TONES["refused"].ink, bold=True), link=title)
    grid.gap()


def _table_by_outcome(grid: _Grid, counts: Sequence[Count]) -> None:
    say = grid.paper.say
    text, figure = CellStyle(across="left", line=LINE), CellStyle(across="right", number_format=NUMBER, line=LINE)
    head = _head()
    left = replace(head, across="left")
    _heading(grid, BY_OUTCOME)
    grid.line((2, say(KIND), left), (4, say(OUTCOME), left), (1, say(CLAIMS), head), (1, say(BAHT), head))
    said = None
    for c in counts:
        kind, said = ("" if c.kind == said else say(c.kind)), c.kind
        of_tone = replace(text, colour=TONES[c.tone].ink, fill=TONES[c.tone].fill)
        grid.line((2, kind, text), (4, say(c.outcome), of_tone), (1, c.claims, figure), (1, c.baht, figure))
    claims, baht = sum(c.claims for c in counts), sum(c.baht for c in counts)
    total = replace(figure, bold=True, fill=PAPER)
    grid.line((6, say(TOTAL), replace(total, across="left")), (1, claims, total), (1, baht, total))
    grid.gap()


def _heading(grid: _Grid, text: Message) -> None:
    grid.line((COLUMNS, grid.paper.say(text), CellStyle(SLATE, size=12, bold=True)), height=26)


def _head() -> CellStyle:
    return CellStyle("FFFFFF", SLATE, bold=True, across="center", line=LINE)
