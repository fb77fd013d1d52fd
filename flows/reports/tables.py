"""What `status` and `issues` show: tables for the screen, CSV and Excel."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from core.errors import ConfigurationError
from core.messages import Language, Message
from core.text import FORMULA_SIGNS, one_line
from flows.reports.reasons import reason_of, status_words
from flows.settings.model import Settings
from load.database import audit_engine
from load.display_names import KIND_NAMES, SEVERITY_NAMES, STATE_NAMES
from load.queries import claims_by_day, claims_not_accepted, open_issues, transaction_statuses
from load.states import State
from transform.rules import registry

HEADINGS = {
    "service_date": Message("วันที่รับบริการ", "Service day"),
    "kind": Message("ประเภท", "Kind"),
    "vn": Message("VN", "VN"),
    "hn": Message("HN", "HN"),
    "item": Message("รหัสวัคซีน", "Item"),
    "status": Message("สถานะ", "Status"),
    "reason": Message("เหตุผลและสิ่งที่ต้องทำ", "Reason, and what to do"),
}
# Before all others where several facilities are looked at.
OF_FACILITY = {"hcode": Message("หน่วยบริการ", "Facility")}
# Rows of a table on a screen; the rest is for a file.
SCREEN_ROWS = 200


def status_table(settings: Settings, first: date | None, last: date | None) -> Group:
    """Counts and baht by day, kind and outcome; and by transaction status, once any is known."""
    language, environment, hcode = settings.language, settings.api.environment, settings.facility.hcode
    with audit_engine(settings.audit_url()) as engine:
        claims = claims_by_day(engine, environment, first=first, last=last, hcode=hcode)
        statuses = transaction_statuses(engine, environment, first=first, last=last, hcode=hcode)
    known = (statuses["status"] + statuses["status_th"] != "").any()
    tables = [_claims_table(claims, language, several=bool(settings.facilities))]
    return Group(*tables, *([_statuses_table(statuses, language)] if known else []))


def _claims_table(frame: pd.DataFrame, language: Language, *, several: bool) -> Table:
    whose = list(OF_FACILITY.values()) if several else []
    heads = [*whose, HEADINGS["service_date"], HEADINGS["kind"], HEADINGS["status"]]
    table = _counting_table(Message("สถานะรายการเบิก", "Claims"), heads, language)
    for r in frame.itertuples():
        kind, state = KIND_NAMES[str(r.kind)].say(language), STATE_NAMES[State(str(r.state))].say(language)
        hcode = [str(r.hcode)] if several else []
        table.add_row(*hcode, f"{r.service_date}", kind, state, f"{r.claims:,}", f"{r.baht:,}")
    table.add_section()
    total, empty = Message("รวม", "Total").say(language), [""] * (len(heads) - 1)
    table.add_row(total, *empty, f"{frame['claims'].sum():,}", f"{frame['baht'].sum():,}")
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
    """What was not accepted and why, in the settings' language: one row a record, or a local code that is on no list.

    Returns:
        Columns service_date, kind, vn, hn, item, status, reason, before them hcode where several facilities are looked
        at; codes first, then ordered by facility and day. Of a code the day is the last one it was seen on, vn, hn and item
        are empty, and the reason begins with its count.
    """
    with audit_engine(settings.audit_url()) as engine:
        of: dict[str, Any] = {"first": first, "last": last, "hcode": settings.facility.hcode}
        claims = claims_not_accepted(engine, settings.api.environment, **of, failed_nights=settings.api.failed_nights)
        records = open_issues(engine, settings.api.environment, **of)
    return issue_frame(claims, records, settings.language, several=bool(settings.facilities))


def issue_frame(
    claims: pd.DataFrame, records: pd.DataFrame, language: Language, *, several: bool = False
) -> pd.DataFrame:
    """The rows of `issue_rows`, made of the frames of `claims_not_accepted` and `open_issues`."""
    whose = list(OF_FACILITY) if several else []
    claims["status"] = [STATE_NAMES[State(s)].say(language) for s in claims["state"]]
    claims["reason"] = [
        reason_of(
            State(str(r["state"])),
            r["meaning_th"],
            r["meaning_en"],
            r["message"],
            nights_in_vain=int(r["nights_in_vain"]),
        ).say(language)
        for r in claims.to_dict("records")
    ]
    records["status"] = [SEVERITY_NAMES[s].say(language) for s in records["severity"]]
    records["reason"] = records[f"message_{language}"]
    of_code = records["rule"].isin([rule.code for rule in registry().values() if rule.of_code])
    rows = pd.concat([f[[*whose, *HEADINGS]] for f in (claims, records[~of_code])], ignore_index=True)
    rows = rows.sort_values([*whose, "service_date", "kind", "vn", "item"], ignore_index=True)
    return pd.concat([_by_code(records[of_code], whose, language), rows], ignore_index=True)


def _by_code(records: pd.DataFrame, whose: Sequence[str], language: Language) -> pd.DataFrame:
    """One row a code, the most frequent first: all its records have the same sentence."""
    columns = [*whose, *HEADINGS]
    if records.empty:
        return records[columns]
    grouped = records.sort_values("service_date").groupby([*whose, "rule", "reason"], sort=False)
    rows = grouped.last().reset_index().assign(vn="", hn="", item="", records=grouped.size().to_numpy())
    rows = rows.sort_values(
        [*whose, "records", "reason"], ascending=[*[True] * len(whose), False, True], ignore_index=True
    )
    counted = Message("{n} รายการ: {reason}", "{n} records: {reason}").say(language)
    rows["reason"] = [
        counted.format(n=n, reason=reason) for n, reason in zip(rows["records"], rows["reason"], strict=True)
    ]
    return rows[columns]


def issue_list(rows: pd.DataFrame, language: Language) -> Iterator[Text]:
    """The rows for a screen: two lines each, the record and the reason."""
    for row in rows.head(SCREEN_ROWS).astype(str).to_dict("records"):
        kind = KIND_NAMES[row["kind"]].say(language)
        hcode = f"{row['hcode']}  " if "hcode" in row else ""
        whose = f"{hcode}{row['service_date']}  {kind} {row['item']}".rstrip() + "  "
        if row["vn"]:
            whose += f"VN {row['vn']}  HN {row['hn']}  "
        yield Text.assemble((whose, "bold"), (f"[{row['status']}]", "yellow"))
        yield Text(f"    {row['reason']}")
    if len(rows) > SCREEN_ROWS:
        more = Message(
            f"แสดง {SCREEN_ROWS} จาก {len(rows)} แถว ดูทั้งหมดด้วย --excel",
            f"{SCREEN_ROWS} of {len(rows)} rows; --excel has them all.",
        )
        yield Text(more.say(language), "dim")


def write_csv(rows: pd.DataFrame, out: Path, language: Language) -> None:
    """Write the rows to a .csv file: UTF-8, as Excel likes it.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    named = rows.rename(columns={name: head.say(language) for name, head in (OF_FACILITY | HEADINGS).items()})
    try:
        named.map(_harmless).to_csv(out, index=False, encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            Message(
                f"เขียนไฟล์ {out} ไม่ได้ ({error.strerror}) ปิดไฟล์ที่เปิดอยู่หรือเลือกที่อื่น",
                f"The file {out} cannot be written ({error.strerror}): close it, or choose another place.",
            )
        ) from None


def _harmless(cell: object) -> str:
    """Plain text on one line; what a spreadsheet would take for a formula begins with an apostrophe."""
    text = one_line(cell)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
