"""What `status` and `issues` show: tables for the screen, CSV and Excel."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from openpyxl.utils import get_column_letter
from rich.console import Group
from rich.table import Table
from rich.text import Text

from extract.errors import ConfigurationError
from extract.messages import Language, Message
from flows.report import KIND_NAMES, STATE_NAMES, WHY, status_words
from flows.settings import Settings
from load.database import open_audit
from load.outcomes import advice_for
from load.queries import claims_by_day, claims_that_did_not_go, open_issues, transaction_statuses
from load.states import State

HEADINGS = {
    "service_date": Message("วันที่รับบริการ", "Service day"),
    "kind": Message("ประเภท", "Kind"),
    "vn": Message("VN", "VN"),
    "hn": Message("HN", "HN"),
    "item": Message("รหัสวัคซีน", "Item"),
    "status": Message("สถานะ", "Status"),
    "reason": Message("เหตุผลและสิ่งที่ต้องทำ", "Reason, and what to do"),
}
# Rows of a table on a screen; the rest is for a file.
SCREEN_ROWS = 200


def status_table(settings: Settings, first: date | None, last: date | None) -> Group:
    """Counts and baht by day, kind and outcome; and by transaction status, once any is known."""
    language, environment, hcode = settings.language, settings.api.environment, settings.facility.hcode
    engine = open_audit(settings.audit_url())
    try:
        claims = claims_by_day(engine, environment, first=first, last=last, hcode=hcode)
        statuses = transaction_statuses(engine, environment, first=first, last=last, hcode=hcode)
    finally:
        engine.dispose()
    known = (statuses["status"] + statuses["status_th"] != "").any()
    tables = [_claims_table(claims, language)]
    return Group(*tables, *([_statuses_table(statuses, language)] if known else []))


def _claims_table(frame: pd.DataFrame, language: Language) -> Table:
    heads = [HEADINGS["service_date"], HEADINGS["kind"], HEADINGS["status"]]
    table = _counting_table(Message("สถานะรายการเบิก", "Claims"), heads, language)
    for r in frame.itertuples():
        kind, state = KIND_NAMES[str(r.kind)].say(language), STATE_NAMES[State(str(r.state))].say(language)
        table.add_row(f"{r.service_date}", kind, state, f"{r.claims:,}", f"{r.baht:,}")
    table.add_section()
    table.add_row(
        Message("รวม", "Total").say(language), "", "", f"{frame['claims'].sum():,}", f"{frame['baht'].sum():,}"
    )
    return table


def _statuses_table(frame: pd.DataFrame, language: Language) -> Table:
    title = Message("สถานะธุรกรรมที่ MOPH Claim แจ้ง", "What MOPH Claim says became of transactions")
    table = _counting_table(title, [HEADINGS["status"]], language)
    for r in frame.itertuples():
        table.add_row(Text(status_words(r.status, r.status_th, language)), f"{r.claims:,}", f"{r.baht:,}")
    return table


def _counting_table(title: Message, heads: Sequence[Message], language: Language) -> Table:
    table = Table(title=title.say(language))
    for head in heads:
        table.add_column(head.say(language))
    for number in (Message("รายการ", "Claims"), Message("บาท", "Baht")):
        table.add_column(number.say(language), justify="right")
    return table


def issue_rows(settings: Settings, first: date | None, last: date | None) -> pd.DataFrame:
    """What did not go and why, one row a record, in the settings' language.

    Returns:
        Columns service_date, kind, vn, hn, item, status, reason; ordered by day.
    """
    language = settings.language
    environment, hcode = settings.api.environment, settings.facility.hcode
    engine = open_audit(settings.audit_url())
    try:
        claims = claims_that_did_not_go(engine, environment, first=first, last=last, hcode=hcode)
        records = open_issues(engine, environment, first=first, last=last, hcode=hcode)
    finally:
        engine.dispose()
    severity = {"error": Message("เบิกไม่ได้", "not claimed"), "warning": Message("ควรดู", "warning")}
    claims["status"] = [STATE_NAMES[State(s)].say(language) for s in claims["state"]]
    claims["reason"] = [
        _reason(str(r["state"]), r[f"meaning_{language}"], r["meaning_en"], r["message"], language)
        for r in claims.to_dict("records")
    ]
    records["status"] = [severity[s].say(language) for s in records["severity"]]
    records["reason"] = records[f"message_{language}"]
    rows = pd.concat([f[list(HEADINGS)] for f in (claims, records)], ignore_index=True)
    return rows.sort_values(["service_date", "kind", "vn", "item"], ignore_index=True)


def _reason(state: str, meaning: object, meaning_en: object, said: object, language: Language) -> str:
    # Where the server said nothing, the database's NULL comes as a float.
    quoted = f" “{said}”" if isinstance(said, str) and said else ""
    if state in WHY:
        return WHY[State(state)].say(language) + quoted
    advice = advice_for(meaning_en) if isinstance(meaning_en, str) else None
    known = meaning if isinstance(meaning, str) else ""
    return " ".join(filter(None, [f"{known}{quoted}".strip(), advice.say(language) if advice else ""]))


def issue_list(rows: pd.DataFrame, language: Language) -> Iterator[Text]:
    """The rows for a screen, each a line that says whose it is and a line that says why."""
    for row in rows.head(SCREEN_ROWS).astype(str).to_dict("records"):
        kind = KIND_NAMES[row["kind"]].say(language)
        whose = f"{row['service_date']}  {kind} {row['item']}".rstrip() + f"  VN {row['vn']}  HN {row['hn']}  "
        yield Text.assemble((whose, "bold"), (f"[{row['status']}]", "yellow"))
        yield Text(f"    {row['reason']}")
    if len(rows) > SCREEN_ROWS:
        more = Message(
            f"แสดง {SCREEN_ROWS} จาก {len(rows)} แถว ดูทั้งหมดด้วย --out issues.xlsx",
            f"{SCREEN_ROWS} of {len(rows)} rows; --out issues.xlsx has them all.",
        )
        yield Text(more.say(language), "dim")


def write_rows(rows: pd.DataFrame, out: Path, language: Language) -> None:
    """Write the rows to a .csv (UTF-8, as Excel likes it) or .xlsx file.

    Raises:
        ConfigurationError: Another ending, or the file cannot be written.
    """
    named = rows.rename(columns={name: head.say(language) for name, head in HEADINGS.items()})
    try:
        if out.suffix == ".csv":
            named.map(_harmless).to_csv(out, index=False, encoding="utf-8-sig")
        elif out.suffix == ".xlsx":
            _write_workbook(named, out)
        else:
            raise ConfigurationError(
                Message(f"ไฟล์ {out} ต้องลงท้ายด้วย .csv หรือ .xlsx", f"The file {out} must end in .csv or .xlsx.")
            )
    except OSError as error:
        raise ConfigurationError(
            Message(
                f"เขียนไฟล์ {out} ไม่ได้ ({error.strerror}) ปิดไฟล์ที่เปิดอยู่หรือเลือกที่อื่น",
                f"The file {out} cannot be written ({error.strerror}): close it, or choose another place.",
            )
        ) from None


def _harmless(cell: object) -> str:
    """Text that a spreadsheet would take for a formula stays text."""
    text = str(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _write_workbook(rows: pd.DataFrame, out: Path) -> None:
    with pd.ExcelWriter(out, engine="openpyxl") as writer:
        rows.astype(str).to_excel(writer, index=False, sheet_name="issues")
        sheet = writer.sheets["issues"]
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = sheet.dimensions
        for n, width in enumerate((14, 8, 16, 12, 10, 16, 90), start=1):
            sheet.column_dimensions[get_column_letter(n)].width = width
        for row in sheet.iter_rows(min_row=2):
            for cell in row:
                cell.data_type = "s"
