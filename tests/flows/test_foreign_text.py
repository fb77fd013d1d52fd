"""Text of servers, hospitals and files: on no terminal, page or sheet is it more than text."""

import csv
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook
from rich.markdown import Markdown
from rich.table import Table as RichTable
from rich.text import Text

from core.errors import MophClaimError
from core.messages import Message
from core.text import escape_markdown, one_line, plain_text
from extract.values import as_text
from extract.workbook.file import shown
from flows.cli.console import PlainConsole
from flows.reports.report import Section, Table, compose_report, quoted
from flows.reports.sections import codes_to_map
from flows.reports.tables import HEADINGS, write_csv
from load.workbook.style import CellStyle
from load.workbook.writer import is_plain, new_writer

STEERING = "\x1b]0;title\x07\x1b[2J\x1b[31mวัคซีน\u202eก\u2066ข\u200bค\x9b1m\x00\r\nปลอม\u2028บรรทัด\ufeff\U000e0041\ud800"
MARKUP = (
    "![p](http://evil.example/p.png)",
    "[l](javascript:alert(1))",
    "<img src=//evil.example/p.png>",
    "<https://evil.example>",
    "https://evil.example/?q=1 www.evil.example a@evil.example",
    "**bold** __bold__ _a_ *a* ~~s~~ `code` | cell |",
    "# heading",
    "1. list",
    "- list",
    "> quote",
    "&lt;b&gt; &#x1b;",
    "\\![p](http://evil.example/p.png) \\",
    "a\n\n![p](http://evil.example/p.png)\n\n```\n",
)


def tokens(markdown: str) -> Iterator[Token]:
    for block in MarkdownIt("gfm-like", {"linkify": False}).parse(markdown):
        yield block
        yield from block.children or ()


@pytest.mark.parametrize("text", MARKUP)
def test_markdown_shows_text_as_it_is(text: str) -> None:
    found = [(token.type, token.content) for token in tokens(escape_markdown(text)) if token.type != "inline"]
    assert {kind for kind, _ in found} <= {"paragraph_open", "paragraph_close", "text", "text_special"}
    assert "".join(content for kind, content in found if kind.startswith("text")) == one_line(text)


def test_what_cannot_be_seen_is_removed_and_thai_stays() -> None:
    assert plain_text(STEERING) == "วัคซีนกขค1m\nปลอม\nบรรทัด?"
    assert one_line(STEERING) == "วัคซีนกขค1m ปลอม บรรทัด?"
    thai = "น้ำ ก๊วยเตี๋ยว ฤๅษี ๏ ฿ ๑๒๓ – “โรงพยาบาล” → 😀\tแถว\n2"
    assert plain_text(thai) == thai


def test_a_sentence_is_plain_and_what_it_quotes_begins_no_line() -> None:
    message = Message("ไฟล์ {file}", f"file {STEERING}").fill(file="a\x1b[2J\nb")
    assert message == Message("ไฟล์ a b", "file วัคซีนกขค1m\nปลอม\nบรรทัด?")
    assert str(MophClaimError(message)) == str(message)


def test_file_name_is_plain() -> None:
    assert shown("ผล\u202excod.slx\x1b[31m\udce0.xlsx") == "ผลxcod.slx?.xlsx"


@pytest.mark.parametrize("as_renderable", [str, Text, Markdown, lambda text: _table_of(text)])
def test_terminal_is_not_steered(as_renderable: Any) -> None:
    screen = PlainConsole(file=StringIO(), force_terminal=True, width=200, color_system="truecolor")
    screen.print(as_renderable(STEERING.encode(errors="replace").decode() + "[link=http://evil.example]x[/a]"))
    written = cast(StringIO, screen.file).getvalue()
    assert "วัคซีนกขค" in written
    assert "[link=http://evil.example]" in re.sub("\x1b\\[[0-9;]*m", "", written)
    assert [
        sign for sign in ("\x1b]", "\x1b[2J", "\x1b[31m", "\x9b", "\x07", "\r", "\u202e", "\x00") if sign in written
    ] == []


def _table_of(text: str) -> RichTable:
    table = RichTable("a")
    table.add_row(text)
    return table


def test_csv_and_excel_hold_plain_text(tmp_path: Path) -> None:
    odd = [f"{sign}1+1{STEERING}" for sign in ("=", "\t=", "\u200b=", "＝", "@")] + ["_x001b_[31m _x0041_"]
    rows = pd.DataFrame([dict.fromkeys(HEADINGS, text) for text in odd])
    write_csv(rows, tmp_path / "rows.csv", "en")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [row["VN"] for row in csv.DictReader(file)]
    assert cells[:5] == [f"'{sign}1+1วัคซีนกขค1m ปลอม บรรทัด?" for sign in ("=", "=", "=", "＝", "@")]

    writer = new_writer(Message("ก", "a"), tmp_path / "rows.xlsx", "en")
    sheet = writer.add_sheet("a", [10])
    sheet.append([writer.cell(sheet, text, CellStyle(), note=text) for text in odd])
    writer.save()
    (read,) = CalamineWorkbook.from_path(tmp_path / "rows.xlsx").get_sheet_by_index(0).to_python()
    assert read == [*(plain_text(text) for text in odd[:5]), "_x001b_[31m _x0041_"]
    written = load_workbook(tmp_path / "rows.xlsx").active[1]  # type: ignore[index]
    assert {cell.data_type for cell in written} == {"s"}
    assert "\u202e" not in "".join(cell.comment.text for cell in written)
    assert [text for text in [*odd, STEERING] if is_plain(text)] == []


def test_a_hospitals_words_on_a_report_are_text() -> None:
    """A vaccine's name once fetched a picture from elsewhere."""
    hostile = " ".join(MARKUP[:6])
    codes = pd.DataFrame([{"message_th": hostile, "message_en": hostile, "records": 3}])
    run = SimpleNamespace(
        settings=SimpleNamespace(language="en"), audit_run=SimpleNamespace(id="12345678", environment="sandbox")
    )
    cells = Section(Message("ตาราง", "Table"), Table([Message(hostile, hostile)], [[hostile, STEERING]]))
    sections = [codes_to_map(codes, "en"), cells]
    steps = [quoted(Message(hostile, hostile))]
    report = compose_report(cast(Any, run), Message(hostile, hostile), [], steps, sections, 0)
    page = list(tokens(report.markdown()))
    assert {token.type for token in page} & {
        "image",
        "link_open",
        "html_inline",
        "html_block",
        "em_open",
        "s_open",
    } == set()
    assert [token.content for token in page if token.type == "code_inline"] == ["12345678"]
    assert sum(token.type == "tr_open" for token in page) == 2
    assert "3" in [page[n + 1].content for n, token in enumerate(page) if token.type == "strong_open"]


def test_what_cannot_be_seen_is_no_value_of_a_hospital() -> None:
    """As in the cells of a workbook; control characters stay, for they are the sign of a wrong character set."""
    assert as_text("\ufeffสม\u200bชาย\u202e ") == "สมชาย"
    assert as_text("\u200b\u2060") is None
    assert as_text("à¸ªà¸¡\x8a") == "à¸ªà¸¡\x8a"
