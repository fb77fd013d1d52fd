"""What the tests of workbooks share: rows of made-up people, an officer's own workbook, and a real spreadsheet program."""

import html
import os
import re
import shutil
import subprocess
from datetime import date, time
from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill

from core.clock import today
from core.messages import Message
from extract.settings import WorkbookSettings
from extract.workbook.layout import SheetName
from extract.workbook.reader import read_workbook
from extract.workbook.rows import Reading, Value
from load.workbook.result_content import Count, Mark, RowOutcome, Summary
from transform.codes import read_codes
from transform.dropdown_choices import choices

CHOICES = choices(read_codes(), today())
REASON = Message("แก้วันเกิดตามบัตรประชาชน", "Mend the date of birth as the card has it.")
SUMMARY = Summary(
    Message("รับแล้ว 2 รายการ", "2 claims were taken."),
    (
        Count(Message("เบาหวาน", "Diabetes"), Message("รับแล้ว", "accepted"), "accepted", 2, 300),
        Count(Message("เบาหวาน", "Diabetes"), Message("รอปิดสิทธิ", "held"), "waiting", 1, 150),
        Count(Message("วัคซีน", "Vaccines"), Message("ยังเบิกไม่ได้", "not claimed"), "refused", 1, 20),
    ),
    facts=((Message("ไฟล์", "File"), "september.xlsx"),),
    notes=(Message("ข้อสังเกตหนึ่ง", "One note."),),
)


def cid(n: int) -> str:
    """A made-up identity number whose check digit is right."""
    digits = f"{n:012d}"
    return digits + str((11 - sum(int(d) * (13 - i) for i, d in enumerate(digits)) % 11) % 10)


def lab_row(n: int, **other: Value) -> dict[str, Value]:
    """A diabetic's HbA1c, as the contract has it."""
    day = date(2026, 9, 1)
    row: dict[str, Value] = {"vn": f"6909{n:04d}", "hn": f"{n:09d}", "visit_date": day, "visit_time": "08:30"}
    row |= {"cid": cid(n), "title": "นาง", "fname": "สมหญิง", "lname": "ใจดี", "dob": date(1970, 2, 3), "sex": "2"}
    row |= {"nation": "099", "scheme": "UCS", "lab_code": "32401", "result": "7.2", "dx1": "E119", "dx2": "I10, N183"}
    return row | other


def dose_row(n: int, **other: Value) -> dict[str, Value]:
    """A child's vaccine, as the contract has it."""
    row = {k: v for k, v in lab_row(n).items() if k not in ("scheme", "lab_code", "result", "dx1", "dx2")}
    row |= {"vaccine_code": "091", "lot_number": "0042", "expiration_date": date(2030, 12, 31), "antenatal": "0"}
    return row | {"provider_name": "พยาบาล ใจดี", "license_no": "0000000001"} | other


ROWS: dict[SheetName, list[dict[str, Value]]] = {"dmht": [lab_row(1), lab_row(2)], "epi": [dose_row(3)], "dt": []}

HEADINGS = [
    "ลำดับ",
    "VN",
    "HN",
    "วันที่รับบริการ",
    "เวลา",
    "เลขบัตรประชาชน",
    "ชื่อ",
    "นามสกุล",
    "วันเกิด",
    "เพศ",
    "สัญชาติ",
    "สิทธิ",
    "รายการตรวจ",
    "ผลตรวจ",
    "วินิจฉัยหลัก",
    "ยอด",
]
BIRTH, AMOUNT, FIRST_OUTCOME = "I", "P", "Q"


def officers_book() -> Workbook:
    """Four rows under a merged title; a number column of their own, a formula, colours, widths, a frozen pane."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "ก.ย. 69"
    sheet["A1"] = "ผลตรวจ เดือนกันยายน 2569"
    sheet.merge_cells("A1:H1")
    for n, heading in enumerate(HEADINGS, start=1):
        sheet.cell(3, n, heading).font = Font(bold=True, color="7030A0")
    for n in range(1, 5):
        person = [
            n,
            f"6909{n:04d}",
            f"{100 + n:09d}",
            date(2026, 9, n),
            time(8, 30),
            cid(n),
            "=ชื่อ",
            "ใจดี",
            date(2513, 2, n),
        ]
        for column, value in enumerate([*person, "หญิง", "ไทย", "UCS", "HbA1c", 7.2, "E119", f"=N{3 + n}*10"], start=1):
            cell = sheet.cell(3 + n, column, value)
            if isinstance(value, str) and value == "=ชื่อ":
                cell.data_type = "s"
    sheet["I7"] = "31/2/2513"
    sheet["D4"].number_format = "dd/mm/yyyy"
    sheet["B4"].fill = PatternFill("solid", start_color="FFFF00")
    sheet.column_dimensions["C"].width = 27
    sheet.freeze_panes = "C4"
    return book


def reading_of(path: Path) -> Reading:
    """What the reader makes of a file."""
    return read_workbook(path, WorkbookSettings(), CHOICES)


def answers_of(reading: Reading) -> list[RowOutcome]:
    """Two rows taken, one held, every other refused for its date of birth."""
    taken = Message("รับแล้ว", "accepted")
    found: list[RowOutcome] = []
    for n, row in enumerate(reading.rows):
        if n < 2:
            found.append(RowOutcome(row.sheet, row.number, "accepted", taken, f"0{n}TX"))
        elif n == 2:
            found.append(RowOutcome(row.sheet, row.number, "waiting", Message("รอปิดสิทธิ", "held")))
        else:
            refused = Message("ยังเบิกไม่ได้", "not claimed")
            marks = (Mark("dob", REASON),)
            found.append(RowOutcome(row.sheet, row.number, "refused", refused, None, REASON, marks, mendable=True))
    return found


def convert(path: Path, form: str) -> Path:
    """The file in another form, made by LibreOffice; skips where there is none, but not in CI. Gives its folder."""
    soffice = shutil.which("soffice")
    if soffice is None:
        if os.environ.get("CI"):
            pytest.fail("soffice is not there, and CI opens the workbooks in it")
        pytest.skip("soffice is not there")
    out = path.parent / "converted"
    profile = f"-env:UserInstallation=file://{path.parent / 'profile'}"
    subprocess.run(
        [soffice, profile, "--headless", "--convert-to", form, "--outdir", str(out), str(path)],
        check=True,
        capture_output=True,
        timeout=240,
    )
    return out


def shown(path: Path) -> list[list[str]]:
    """The rows of all sheets, their cells as LibreOffice shows them."""
    page = (convert(path, "html") / f"{path.stem}.html").read_text("utf-8")
    rows = re.findall(r"<tr.*?</tr>", page, re.S)
    cells = (re.findall(r"<td[^>]*>(.*?)</td>", row, re.S) for row in rows)
    return [[html.unescape(re.sub(r"<.*?>", "", cell, flags=re.S)).strip() for cell in row] for row in cells]
