"""The instructions: how to fill in a workbook, how to submit it, and what comes back."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.messages import Message
from extract.workbook.layout import INSTRUCTIONS, SheetLayout
from load.workbook.form import TITLES
from load.workbook.style import BORDER, DARK, LIGHT, SLATE, CellStyle
from load.workbook.writer import WorkbookWriter, count_lines, set_heights

HEADLINE = Message("ไฟล์เบิก MOPH Claim: วิธีกรอกและวิธีส่ง", "A workbook for MOPH Claim: how to fill it in and hand it in")
SECTIONS: dict[Message, tuple[Message, ...]] = {
    Message("กรอกอย่างไร", "How to fill it in"): (
        Message(
            "หนึ่งแถวต่อผลตรวจหนึ่งรายการ หรือวัคซีนหนึ่งเข็ม ในแผ่นงานของงานนั้น",
            "One row a lab result, or a vaccine dose, in the sheet of its service.",
        ),
        Message(
            "หัวคอลัมน์สีเข้มที่มี * ต้องกรอก สีอ่อนปล่อยว่างได้ ช่องที่ยังขาดจะเป็นสีเหลืองจนกว่าจะกรอก",
            "Dark headings with * must be filled in, light ones may stay empty; a missing cell is yellow until it is filled.",
        ),
        Message(
            "ครั้งเดียวกันมีหลายแถวได้ ใส่ VN เดิมทุกแถว ข้อมูลผู้รับบริการกรอกแถวแรกแถวเดียวก็พอ",
            "A visit may have several rows: repeat its VN in each; the person is typed once, in the first.",
        ),
        Message(
            "แถวที่ VN เป็นคำว่า “ตัวอย่าง” หรือ “ตัวอย่าง 1” ระบบไม่อ่าน จะลบหรือปล่อยไว้ก็ได้",
            "Rows whose VN is “ตัวอย่าง”, or that and a number, are examples and are not read; delete them or leave them.",
        ),
        Message(
            "สลับหรือเพิ่มคอลัมน์ของท่านเองได้ ขอให้คงแถวหัวคอลัมน์ไว้",
            "Columns may be moved, and you may add your own; keep the row of headings.",
        ),
    ),
    Message("วันที่และเวลา", "Dates and times"): (
        Message(
            "พิมพ์ปี พ.ศ. หรือ ค.ศ. ก็ได้ ปี 4 หลัก เช่น 1/10/2569 หรือ 1/10/2026 ช่องจะแสดงว่าเป็น พ.ศ. หรือ ค.ศ. ให้ตรวจทาน",
            "Buddhist or CE years, four digits: 1/10/2569 or 1/10/2026. The cell shows which one it took: พ.ศ. or ค.ศ.",
        ),
        Message("เวลาพิมพ์แบบ 08:30", "Times as in 08:30."),
    ),
    Message("เลขและรหัส", "Numbers and codes"): (
        Message(
            "เลขประจำตัวประชาชน 13 หลัก มีขีดหรือเว้นวรรคได้ ช่องจะเป็นสีแดงเมื่อไม่ครบ 13 หลัก",
            "Identity numbers have 13 digits; dashes and spaces do no harm. The cell is red when it has not 13.",
        ),
        Message(
            "ช่องเลขและรหัสเป็นข้อความ ศูนย์นำหน้าจึงไม่หาย เมื่อคัดลอกจากไฟล์อื่นให้วางเฉพาะค่า (Paste values)",
            "Cells of numbers and codes are text and keep leading zeros; from other files paste values only.",
        ),
        Message(
            "ช่องที่มีรายการให้เลือก จะพิมพ์รหัสเองก็ได้",
            "Where there is a list to choose from, the code may be typed as well.",
        ),
    ),
    Message("ส่งอย่างไร", "How to hand it in"): (
        Message(
            "บันทึกไฟล์ แล้ววางในโฟลเดอร์ inbox หรือสั่ง moph-claim import ตามด้วยชื่อไฟล์",
            "Save it and put it into the inbox folder, or call moph-claim import FILE.",
        ),
        Message(
            "นำเข้าไฟล์เดิมซ้ำได้ รายการที่รับแล้วจะไม่ถูกส่งอีก",
            "The same file may be handed in again: what was taken is never sent twice.",
        ),
    ),
    Message("ได้อะไรกลับมา", "What comes back"): (
        Message(
            "ไฟล์ผล: แผ่นงานสรุป แผ่นงานสำหรับแก้ไข และแผ่นงานเดิมของท่านที่มีผล เลขธุรกรรม และเหตุผลต่อท้ายทุกแถว",
            "A result: a summary, sheets for mending, and your own sheets with outcome, transaction number and reason in each row.",
        ),
        Message(
            "แถวที่ไม่ผ่านแก้ในแผ่นงาน “แก้ไข” ของไฟล์ผล แล้วนำเข้าไฟล์ผลนั้นได้เลย",
            "Rows that did not pass are mended in the result's “Mend” sheets; hand in the result itself.",
        ),
    ),
}
EMPTY = Message("", "")
COLUMNS = Message("ความหมายของคอลัมน์ (* ต้องกรอก)", "The columns (* must be filled in)")


def add_instructions(writer: WorkbookWriter, sheets: Sequence[SheetLayout]) -> None:
    """Add the sheet: in Thai; with English beside it if that is the workbook's language."""
    bilingual = writer.language == "en"
    width = 78 if bilingual else 112
    sheet = writer.add_sheet(writer.free_title(writer.say(INSTRUCTIONS)), [2, 34, *[width] * (1 + bilingual)])
    sheet.sheet_properties.tabColor = SLATE
    sheet.sheet_view.showGridLines = False
    rows = [(HEADLINE, None, CellStyle(SLATE, size=16, bold=True)), *_sections(), *_columns(sheets)]
    texts = [[right.th, right.en][: 1 + bilingual] if right else [] for _, right, _ in rows]
    heights = [8 + 15 * max((count_lines(text, width * 1.1) for text in pair), default=1) for pair in texts]
    set_heights(sheet, {1: 42, **dict(enumerate(heights[1:], start=2))})
    for (left, _, style), pair in zip(rows, texts, strict=True):
        text = replace(style, colour=DARK, fill="", bold=False, wrap=True)
        cells = [writer.cell(sheet, right, text) for right in pair]
        sheet.append([None, writer.cell(sheet, writer.say(left), style), *cells])


Line = tuple[Message, Message | None, CellStyle]
"""The text on the left, the text on the right, and the style of the left; the right is plain."""


def _sections() -> Iterator[Line]:
    style = CellStyle(SLATE, bold=True, align="left")
    for title, texts in SECTIONS.items():
        yield EMPTY, None, style
        for n, text in enumerate(texts):
            yield EMPTY if n else title, text, style


def _columns(sheets: Sequence[SheetLayout]) -> Iterator[Line]:
    yield EMPTY, None, CellStyle()
    yield COLUMNS, None, CellStyle(SLATE, size=12, bold=True)
    where: dict[tuple[Message, Message, bool], list[str]] = {}
    for layout in sheets:
        for column in layout.columns:
            where.setdefault((column.heading, column.help, column.needed), []).append(TITLES[layout.name])
    for (heading, help_text, needed), titles in where.items():
        star = " *" if needed else ""
        only = "" if len(titles) == len(sheets) else f"[{', '.join(titles)}]  "
        style = CellStyle(SLATE, LIGHT, bold=needed, align="left", border_colour=BORDER)
        yield Message(heading.th + star, heading.en + star), Message(only + help_text.th, only + help_text.en), style
