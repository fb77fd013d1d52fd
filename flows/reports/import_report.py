"""What an import leaves a claims officer: a report that names nobody, and the result workbook, which is his own."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from core.clock import BANGKOK, today
from core.messages import Message
from extract.workbook.layout import SheetName, layouts
from extract.workbook.reader import ANSWERED
from flows.reports.report import (
    BY_KIND,
    KIND_NAMES,
    NEXT_STEPS,
    WHY_NOT,
    Report,
    Stands,
    by_kind,
    expected_line,
    left_line,
    make_report,
    next_steps,
    records_to_look_at,
    refused_list,
    sent_line,
)
from flows.runs.import_workbook import Import, drop_downs
from flows.settings.settings import Settings
from load.states import ACCEPTED_STATES, State
from load.workbook.answers import Count, RowAnswer, Summary, to_mend
from load.workbook.result import write_result
from load.workbook.style import OutcomeCategory
from transform.workbook_rows import Part

FILE = Message("ไฟล์", "File")
TO_LOOK_AT = Message("ข้อมูลที่ต้องดู", "Records to look at")


def report_import(shift: Import, found: list[RowAnswer], also: Sequence[Message] = ()) -> Report:
    """The report of an import, from what stands in the audit for its claims.

    Args:
        shift: The run.
        found: What became of every row.
        also: What else a person should do.
    """
    wish, run, language = shift.wish, shift.run, shift.settings.language
    stands = _stands(shift)
    mendable = sum(a.mendable for a in found)
    # What is said there of claims to correct is for those of the HIS.
    steps = [step for step in next_steps(shift, stands) if step != NEXT_STEPS[State.CORRECTABLE]]
    steps += [*_to_mend(shift, mendable), *also]
    summary = [_sent(shift), _rows(shift, found), expected_line(shift, stands), left_line(stands)]
    sections = [
        (BY_KIND, by_kind(stands, {} if shift.before else shift.run_counts.planned, language)),
        (WHY_NOT, refused_list(stands.refused, language, of_workbook=True)),
        (TO_LOOK_AT, records_to_look_at(_issue_counts(shift), language, of_workbook=True)),
    ]
    file = shift.reading.file_hash[:8]
    title = Message(
        f"MOPH Claim {run.hcode}: ไฟล์นำเข้า {file}, {wish.first} ถึง {wish.last}",
        f"MOPH Claim {run.hcode}: workbook {file}, {wish.first} to {wish.last}",
    )
    return make_report(shift, title, summary, steps, sections, mendable + stands.for_a_person)


def _to_mend(shift: Import, mendable: int) -> list[Message]:
    """Where the rows are mended, and what was mended where it is not read."""
    steps = []
    if n := len(_answered(shift)):
        steps.append(
            Message(
                f"ไม่ได้อ่าน {n} แผ่นงานที่เป็นผลการนำเข้าครั้งก่อน สิ่งที่แก้ในนั้นไม่มีผล ให้แก้ในแผ่นงานสำหรับแก้ไข หรือในไฟล์ต้นฉบับ",
                f"{n} sheets hold the results of an earlier import and were not read: what was mended there has no effect; "
                "mend it in the sheets for mending, or in your own file.",
            )
        )
    if mendable and _only_tried(shift):
        steps.append(
            Message(
                f"ทดลอง: มี {mendable} แถวที่ต้องแก้ แก้ในไฟล์ต้นฉบับ แล้วนำเข้าไฟล์ต้นฉบับ (ไฟล์ผลการทดลองนำเข้าไม่ได้)",
                f"Dry run: {mendable} rows are to be mended: mend them in your own file and import that, not this result.",
            )
        )
    elif mendable:
        steps.append(
            Message(
                f"มี {mendable} แถวที่ต้องแก้ แก้ในแผ่นงานสำหรับแก้ไขของไฟล์ผลลัพธ์ แล้วนำเข้าไฟล์นั้น",
                f"{mendable} rows are to be mended: mend them in the result workbook's sheet for mending, and import it.",
            )
        )
    return steps


def _answered(shift: Import) -> set[Message]:
    """What was said of sheets that hold the results of an earlier import."""
    return {ANSWERED.fill(sheet=sheet.name) for sheet in shift.reading.raw}.intersection(shift.reading.left_out)


def _only_tried(shift: Import) -> bool:
    return shift.wish.dry_run and shift.before is None


def _sent(shift: Import) -> Message:
    if shift.before:
        at = f"{shift.before.started_at.astimezone(BANGKOK):%Y-%m-%d %H:%M}"
        return Message(
            f"เคยนำเข้าไฟล์นี้แล้วเมื่อ {at} จึงไม่ส่งซ้ำ ผลด้านล่างคือสถานะปัจจุบัน",
            f"This file was imported before, on {at}: nothing was sent; below is where its claims stand now.",
        )
    if shift.wish.dry_run:
        n = shift.run_counts.would_send
        return Message(f"ทดลอง ไม่ได้ส่งจริง: จะส่ง **{n}** รายการ", f"Dry run: **{n}** claims would be sent")
    return sent_line(shift)


def _rows(shift: Import, found: list[RowAnswer]) -> Message:
    rows, claims, mendable = len(found), len(shift.claims), sum(a.mendable for a in found)
    return Message(
        f"อ่านได้ **{rows}** แถว เป็นรายการเบิก **{claims}** ต้องแก้ **{mendable}** แถว",
        f"Rows read: **{rows}**, claims: **{claims}**, rows to mend: **{mendable}**",
    )


def _stands(shift: Import) -> Stands:
    """The workbook's claims as they stand, in the shape of what is read of the ledger for a night."""
    rows = [
        {"kind": part[0], "state": s.state, "meaning_th": s.meaning_th, "meaning_en": s.meaning_en, "baht": s.baht}
        for part, s in shift.standing().items()
        if part in shift.claims or s.state in ACCEPTED_STATES
    ]
    columns = ["kind", "state", "meaning_th", "meaning_en", "baht"]
    frame = pd.DataFrame(rows, columns=columns).assign(claims=1)
    by = ["state", "meaning_th", "meaning_en"]
    waits = frame[~frame["state"].isin(["accepted", "ready", "withdrawn"])]
    refused = waits.groupby(by, dropna=False)["claims"].sum().reset_index()
    return Stands(shift.wish.first, shift.wish.last, frame, refused)


def _issue_counts(shift: Import) -> pd.DataFrame:
    """How many parts met which rule: rule, severity, kind, records."""
    met = Counter((i.rule, i.severity, i.kind, part) for part, issues in shift.issues.items() for i in issues)
    counts = Counter(key[:3] for key in met)
    rows = [(rule, severity, kind, n) for (rule, severity, kind), n in counts.items()]
    return pd.DataFrame(rows, columns=["rule", "severity", "kind", "records"])


def write_answers(out: Path, *, shift: Import, found: list[RowAnswer], source: Path) -> None:
    """Write the result workbook of an import.

    Args:
        out: The .xlsx file.
        shift: The run.
        found: What became of every row.
        source: Where the officer's file lies.
    """
    write_result(
        out,
        _summary(shift, found),
        # Rows mended in a trial's result would go without the rows that were well from the beginning.
        [] if _only_tried(shift) else to_mend(shift.reading.rows, found),
        drop_downs(shift.settings, today()),
        shift.settings.language,
        source=source,
        reading=shift.reading,
        answers=found,
    )


def write_refusal(out: Path, *, settings: Settings, name: str, sentence: str) -> None:
    """Write the result workbook of a file that could not be imported: the sentence that says why."""
    summary = Summary(Message(sentence, sentence), (), ((FILE, name),))
    write_result(out, summary, (), drop_downs(settings, today()), settings.language)


def _summary(shift: Import, found: list[RowAnswer]) -> Summary:
    reading, run, wish = shift.reading, shift.run, shift.wish
    counts = _counts(shift, found)
    facts = (
        (FILE, reading.file_name),
        (Message("ลายนิ้วมือไฟล์ (SHA-256)", "File's SHA-256"), reading.file_hash),
        (Message("หน่วยบริการ", "Facility"), run.hcode),
        (Message("วันที่รับบริการ", "Service days"), f"{wish.first} – {wish.last}"),
        (Message("สภาพแวดล้อม", "Environment"), run.environment),
        (Message("การทำงาน (run)", "Run"), run.id),
    )
    headline = shift.failure.message if shift.failure else _plain(_sent(shift))
    mendable = sum(a.mendable for a in found)
    return Summary(headline, counts, facts, [*_to_mend(shift, mendable), *_notes(shift)])


def _counts(shift: Import, found: list[RowAnswer]) -> list[Count]:
    """Claims and baht by kind and outcome; a claim counts once, whatever rows it has, a row without one by itself."""
    standing = shift.standing()
    counted: dict[tuple[Message, Message, OutcomeCategory], tuple[int, int]] = {}
    seen: set[Part] = set()
    for row, a in zip(shift.reading.rows, found, strict=True):
        part = shift.parts.of.get((row.sheet, row.number))
        if part in seen:
            continue
        baht = 0
        if part:
            seen.add(part)
            worth = standing.get(part) or shift.claims.get(part)
            baht = worth.baht if worth else 0
        key = KIND_NAMES[part[0]] if part else _sheet_title(row.layout), a.outcome, a.tone
        claims, so_far = counted.get(key, (0, 0))
        counted[key] = claims + 1, so_far + baht
    order = [*KIND_NAMES.values(), *map(_sheet_title, layouts())]
    ordered = sorted(counted.items(), key=lambda item: order.index(item[0][0]))
    return [Count(*key, claims, baht) for key, (claims, baht) in ordered]


def _sheet_title(layout: SheetName) -> Message:
    """What to call the rows of which it is not known what kind they are: as the one kind of their sheet, if it has one."""
    return KIND_NAMES.get(layout, layouts()[layout].title)


def _notes(shift: Import) -> list[Message]:
    """What a person should know of how the file was understood."""
    answered = _answered(shift)
    notes = [m for m in shift.reading.left_out if m not in answered]
    for sheet in shift.reading.sheets:
        columns = {c.name: c.heading for c in layouts()[sheet.layout].columns}
        if sheet.surplus:
            names = ", ".join(sheet.surplus)
            notes.append(
                Message(
                    f"แผ่นงาน {sheet.name}: ไม่ใช้คอลัมน์ {names}",
                    f"Sheet {sheet.name}: columns that are not used: {names}.",
                )
            )
        if sheet.missing:
            th, en = (
                ", ".join(getattr(columns[name], language) for name in sheet.missing) for language in ("th", "en")
            )
            notes.append(
                Message(f"แผ่นงาน {sheet.name}: ไม่มีคอลัมน์ {th}", f"Sheet {sheet.name}: columns that are not there: {en}.")
            )
        if sheet.doubtful:
            rows = ", ".join(map(str, sheet.doubtful))
            notes.append(
                Message(
                    f"แผ่นงาน {sheet.name}: แถว {rows} ไม่ได้อ่าน แม้มีเลขที่รับบริการ เลขประจำตัว รายการตรวจ หรือวัคซีน กรุณาตรวจว่าเป็นข้อมูลหรือไม่",
                    f"Sheet {sheet.name}: rows {rows} were not read though they hold a visit or identity number, a test or a "
                    "vaccine: check whether they are data.",
                )
            )
        if sheet.notes:
            n = sheet.notes
            notes.append(
                Message(
                    f"แผ่นงาน {sheet.name}: ข้าม {n} แถวที่ไม่ใช่ข้อมูล (หมายเหตุ หัวตาราง ตัวอย่าง)",
                    f"Sheet {sheet.name}: {n} rows that are no data (notes, headings, examples) were skipped.",
                )
            )
    return notes


def _plain(message: Message) -> Message:
    return Message(message.th.replace("**", ""), message.en.replace("**", ""))
