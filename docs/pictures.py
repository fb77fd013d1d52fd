"""Makes the pictures of workbooks, of people who do not exist. `make pictures`; needs LibreOffice and pdftoppm."""

import subprocess
from collections.abc import Collection
from copy import copy
from datetime import time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from make import SAMPLE_DAY, in_buddhist_years, no_history
from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.worksheet.header_footer import HeaderFooter
from openpyxl.worksheet.worksheet import Worksheet
from pydantic import SecretStr

from extract.settings import HisSettings
from extract.source import open_source
from extract.workbook.layout import SheetName, layouts
from extract.workbook.records import from_json
from extract.workbook.rows import Value
from flows.parameters import ImportParameters
from flows.reports.import_result import write_row_outcomes
from flows.reports.row_outcomes import row_outcomes
from flows.runs.import_workbook import open_import_run
from flows.settings.model import CONFIG_FILE
from flows.settings.read import read_settings, use_only
from load.workbook.form import NAME_ROW
from load.workbook.template import write_template
from sandbox.his import VisitMix, build_hosxp
from sandbox.process import Sandbox, running_sandbox
from transform.claim import KINDS, SERVICES
from transform.claims import make_claims, wanted
from transform.codes import read_codes
from transform.dropdown_choices import choices
from transform.workbook_rows import records_of

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 1400
"""Of a picture, in pixels."""
REASON_WIDTH = 100
DOTS = 100
"""An inch, where it is looked what is drawn on a page."""
EDGE, WIDE_EDGE = 0.03, 0.3
"""Around a picture, in inches."""
A3 = 8
DROP_DOWNS = choices(read_codes(), SAMPLE_DAY)
DAYS, MIX = 5, VisitMix(dm=0.3, ht=0.25, epi=0.3, dt=0.15, ht_follow_up=0, dm_without_hba1c=0, dm_of_other_right=0)
MISTAKES: dict[SheetName, dict[int, dict[str, Value | None]]] = {
    "dmht": {1: {"dob": "31/11/2510"}, 7: {"cid": "19900888888"}, 14: {"result": "-"}, 25: {"scheme": "SSS"}},
    "epi": {2: {"lot_number": None}, 12: {"expiration_date": "31/2/2571"}, 21: {"visit_date": "35/10/2569"}},
    "dt": {4: {"license_no": None}},
}
"""What a hand got wrong: by row, from 0."""
NOT_CLOSED: dict[SheetName, tuple[int, ...]] = {"dmht": (3, 12, 30), "epi": (9, 30), "dt": (7,)}
"""Rows of visits without a closing code."""

Rows = dict[SheetName, list[dict[str, Value]]]


def main() -> None:
    """Make all pictures."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        rows = rows_of_a_hospital(folder)
        template, result = filled_template(folder, rows), result_of(folder, rows)
        take(template, "DMHT", "workbook-template", "A1:J12")
        take(result, "สรุป", "workbook-result", "A1:J30", headings=False)
        take(result, "DMHT", "workbook-answered", "A1:Y21", "vn cid dob lab_code result")
        take(result, "แก้ไข DMHT", "workbook-mending", "A1:W7", "vn cid dob scheme lab_code result reason")


# What the pictures show


def rows_of_a_hospital(folder: Path) -> Rows:
    """What a made-up hospital's database says of its claims, as people type it."""
    url = f"sqlite:///{folder / 'hosxp.sqlite'}"
    build_hosxp(url, first_day=SAMPLE_DAY, days=DAYS, visits_a_day=20, traps=False, mix=MIX)
    rows: Rows = {name: [] for name in layouts()}
    with open_source(HisSettings(url=SecretStr(url))) as source:
        for n in range(DAYS):
            day = source.read_day(SAMPLE_DAY + timedelta(days=n), wanted(KINDS))
            made = make_claims(day, kinds=KINDS, hcode=source.facility().hcode, history=no_history()).claims
            for part, records in records_of(day, [(c.kind, c.vn, c.item) for c in made], read_codes()).items():
                rows[SERVICES[part[0]]] += map(in_buddhist_years, from_json(records))
    return {name: sorted(some, key=lambda row: list(map(str, row.values()))) for name, some in rows.items()}


def filled_template(folder: Path, rows: Rows) -> Path:
    """A template that somebody is filling in: one row is not finished."""
    path = folder / "template.xlsx"
    write_template(path, ["dmht"], DROP_DOWNS, "th")
    book = load_workbook(path, rich_text=True)
    unfinished = {"vn", "hn", "visit_date", "visit_time", "cid", "title"}
    typed = [row for row in rows["dmht"] if row["lab_code"] == "32401"][:5]
    typed[-1] = {name: value for name, value in typed[-1].items() if name in unfinished} | {"cid": "59900012345"}
    for row in typed:
        type_row(book["DMHT"], row)
    book.save(path)
    return path


def type_row(sheet: Worksheet, row: dict[str, Value]) -> None:
    """Type a row below the last."""
    labels = {c.name: c.choices for c in layouts()["dmht"].columns}
    number = sheet.max_row + 1
    for n, name in enumerate((str(cell.value) for cell in sheet[NAME_ROW]), start=1):
        cell: Any = sheet.cell(number, n)
        cell._style = copy(sheet.column_dimensions[get_column_letter(n)]._style)
        form, value = cell.number_format, row.get(name)
        label = next((c.label for c in DROP_DOWNS.get(labels[name], ()) if c.value == value), value)
        cell.value = time.fromisoformat(str(value)) if name == "visit_time" else label
        cell.number_format = form


def result_of(folder: Path, rows: Rows) -> Path:
    """What comes back when a workbook with some mistakes is imported, from a stand-in of MOPH Claim."""
    source, result = folder / "เบิก-ต้นตุลาคม-2569.xlsx", folder / "result.xlsx"
    wrong = {name: [dict(row) for row in some] for name, some in rows.items()}
    for name, mistakes in MISTAKES.items():
        for n, cells in mistakes.items():
            wrong[name][n] |= cells
    write_template(source, list(layouts()), DROP_DOWNS, "th", wrong)
    held = frozenset(str(rows[name][n]["vn"]) for name, some in NOT_CLOSED.items() for n in some)
    with running_sandbox(no_closing_code_visits=held) as moph:
        use_only(configured(folder, moph))
        parameters = ImportParameters(concurrency=4)
        with open_import_run(read_settings(), source, source.name, parameters, lambda _: None) as import_run:
            import_run.make_claims()
            import_run.log_in()
            while chunk := import_run.next_chunk():
                import_run.send_chunk(1, chunk)
            import_run.finish_sending()
            outcomes = row_outcomes(import_run)
            write_row_outcomes(result, run=import_run, outcomes=outcomes, failure=None, source=source)
    return result


def configured(folder: Path, moph: Sandbox) -> Path:
    """Settings as a hospital would write them."""
    account = moph.world.accounts[0]
    config = folder / CONFIG_FILE
    config.write_text(
        f'[facility]\nhcode = "{account.hospital_code}"\nname = "โรงพยาบาลตัวอย่าง"\n[api]\nenvironment = "sandbox"\n'
        f'token_url = "{moph.token_url}"\napi_url = "{moph.api_url}"\n'
        f'username = "{account.username}"\npassword = "{account.password}"\nsecret_key = "{account.secret_key}"\n',
        encoding="utf-8",
    )
    return config


# How a picture is taken


def take(book: Path, title: str, name: str, area: str, fields: str = "", *, headings: bool = True) -> None:
    """Draw an area of a sheet.

    Args:
        book: The workbook.
        title: The sheet's.
        name: The picture's.
        area: The cells, such as A1:J12.
        fields: The fields whose columns are shown, besides those of the result; all where empty.
        headings: Whether the letters of columns and the numbers of rows are shown.
    """
    page = book.with_name(f"{name}.xlsx")
    lone(book, title, area, fields.split(), headings=headings).save(page)
    profile = f"-env:UserInstallation=file://{book.parent / 'profile'}"
    run("soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(book.parent), str(page))
    pdf = page.with_suffix(".pdf")
    left, top, width, height = drawn(pdf, EDGE if headings else WIDE_EDGE)
    inch = WIDTH / width
    x, y, w, h = (str(round(n * inch)) for n in (left, top, width, height))
    crop = ("-x", x, "-y", y, "-W", w, "-H", h)
    run("pdftoppm", "-r", str(inch), *crop, "-singlefile", "-png", str(pdf), str(PICTURES / name))


def lone(book: Path, title: str, area: str, fields: Collection[str], *, headings: bool) -> Workbook:
    """The workbook with nothing to be printed but the area, on one page."""
    made = load_workbook(book, rich_text=True)
    for sheet in made.worksheets:
        sheet.sheet_state = "visible" if sheet.title == title else "hidden"
    sheet = made[title]
    made.active = sheet
    last = range_boundaries(area)[2]
    for n, cell in enumerate(sheet[NAME_ROW][:last], start=1) if fields else ():
        column = sheet.column_dimensions[get_column_letter(n)]
        column.hidden = bool(cell.value) and cell.value not in fields
        column.width = REASON_WIDTH if n == last else column.width
    for merged in [r for r in sheet.merged_cells.ranges if r.max_col > last]:
        sheet.unmerge_cells(str(merged))
        merged.shrink(right=merged.max_col - last)
        sheet.merge_cells(str(merged))
    sheet.print_area = area
    sheet.print_title_rows = None
    sheet.print_options.headings = headings
    sheet.HeaderFooter = HeaderFooter()
    sheet.page_setup.paperSize, sheet.page_setup.orientation = A3, "landscape"
    sheet.page_setup.fitToHeight = sheet.page_setup.fitToWidth = 1
    return made


def drawn(pdf: Path, edge: float) -> tuple[float, float, float, float]:
    """Where something is drawn on the page, and so much around it: left, top, width and height, in inches."""
    run("pdftoppm", "-r", str(DOTS), "-gray", "-singlefile", str(pdf), str(pdf.with_suffix("")))
    data = pdf.with_suffix(".pgm").read_bytes()
    width, height = map(int, data.split(maxsplit=3)[1:3])
    page = np.frombuffer(data, np.uint8, offset=len(data) - width * height).reshape(height, width)
    rows, columns = (np.flatnonzero((page < 255).any(axis=axis)) for axis in (1, 0))
    left, top = columns[0] / DOTS - edge, rows[0] / DOTS - edge
    return left, top, (columns[-1] + 1) / DOTS + edge - left, (rows[-1] + 1) / DOTS + edge - top


def run(program: str, *arguments: str) -> None:
    """Run a program to its end."""
    subprocess.run([program, *arguments], check=True, capture_output=True)  # noqa: S603 (our own words)


if __name__ == "__main__":
    main()
