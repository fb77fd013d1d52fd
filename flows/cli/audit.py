"""`moph-claim audit …` and `settle`: what the audit proves and tells, what is taken out of it, what a person decides."""

from pathlib import Path
from typing import Annotated

import typer

from core.messages import Message
from flows.cli import audit_copies
from flows.cli.console import Exit, FacilityOption, day_of, errors, exit_on_error, screen
from flows.settings.read import read_settings

app = typer.Typer(help="พิสูจน์และค้นบันทึกตรวจสอบ / Prove the audit, and look into it.", no_args_is_help=True)
app.command()(audit_copies.backup)
app.command()(audit_copies.restore)
app.command()(audit_copies.accept_restored)


@app.command()
def verify(
    run: Annotated[
        str, typer.Option(metavar="ID", help="เฉพาะการทำงานนี้ / Only this run; its first letters will do.")
    ] = "",
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="ไฟล์สำรองหรือ .ends.json / A backup, or the ends beside it: all must be there."
        ),
    ] = None,
    facility: FacilityOption = "",
) -> None:
    """พิสูจน์ว่าบันทึกไม่ถูกแก้ไข / Prove that nothing in the audit was changed, removed or inserted."""
    from flows.cli.scope import environment_in_scope
    from flows.reports.claim_history import verification_message
    from flows.runs.audit_backup import ends_to_compare, what_is_cut_off
    from load.database import audit_engine
    from load.verify import verify as verify_audit

    with exit_on_error():
        settings = read_settings()
        environment = environment_in_scope(settings, facility)
        # The machine's marks first: a run that is under way moves them on.
        ends = [] if run and not against else ends_to_compare(settings, environment, against)
        with audit_engine(settings.audit_url()) as engine:
            checked = verify_audit(engine, environment, run)
            cut_off = None if checked.mismatch else what_is_cut_off(engine, ends, environment, against)
        sentence = (cut_off or verification_message(checked, run)).say(settings.language)
        if not checked.mismatch and not cut_off:
            screen.print(sentence, highlight=False, markup=False, soft_wrap=True)
            return
        errors.print(sentence, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(Exit.NEEDS_A_PERSON)


@app.command()
def show(
    number: Annotated[str, typer.Argument(metavar="VN|UID", help="เลข VN หรือเลขธุรกรรม / Visit or transaction number.")],
    payload: Annotated[
        bool, typer.Option("--payload", help="แสดงข้อมูลที่ส่งและได้รับ (มีข้อมูลส่วนบุคคล) / Show bodies: personal data.")
    ] = False,
    facility: FacilityOption = "",
) -> None:
    """ประวัติทั้งหมดของรายการเบิก / A claim's whole life: states, exchanges, answers, when, by which run."""
    from flows.cli.scope import settings_in_scope
    from flows.reports.claim_history import render_history
    from load.accesses import record_access
    from load.claim_history import claim_histories
    from load.database import audit_engine

    with exit_on_error():
        settings = settings_in_scope(read_settings(), facility)
        with audit_engine(settings.audit_url()) as engine:
            if payload:
                of = settings.api.environment
                record_access(engine, of, "audit show --payload", number, hcode=settings.facility.hcode)
            found = claim_histories(engine, settings.api.environment, number, settings.facility.hcode)
        for life in found:
            for line in render_history(life, settings.language, bodies=payload):
                screen.print(line, soft_wrap=True)
        if found:
            return
        none = Message(
            f"ไม่พบรายการเบิกของ VN หรือเลขธุรกรรม {number} ในสภาพแวดล้อม {settings.api.environment}",
            f"There is no claim of visit or transaction {number} in the environment {settings.api.environment}.",
        )
        errors.print(none.say(settings.language), highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(Exit.NEEDS_A_PERSON)


@app.command()
def erase(
    before: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="ก่อนวันนี้ / Services before this day; else by privacy.keep_years."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="ไม่ต้องถาม / Ask nothing.")] = False,
    facility: FacilityOption = "",
) -> None:
    """ลบข้อมูลส่วนบุคคลที่เก่าเกินกำหนด / Take personal data out of what is older than it may be kept."""
    from flows.cli.scope import settings_in_scope
    from flows.runs.erase import count_old, erase_old, last_day_kept
    from load.database import audit_engine

    with exit_on_error():
        settings = settings_in_scope(read_settings(), facility)
        day = last_day_kept(settings, day_of(before))
        with audit_engine(settings.audit_url(), patience_seconds=settings.audit.outage_seconds) as engine:
            many = count_old(settings, engine, day)
            question = Message(
                f"จะลบข้อมูลส่วนบุคคลของ {many:,} รายการก่อนวันที่ {day} อย่างถาวร ยืนยันหรือไม่",
                f"The personal data of {many:,} claims and issues of before {day} will be gone for good. Go on?",
            )
            if not yes:
                typer.confirm(question.say(settings.language), abort=True)
            erased = erase_old(settings, engine, day)
        screen.print(erased.say(settings.language), highlight=False, markup=False, soft_wrap=True)


@app.command()
def accesses(
    last: Annotated[int, typer.Option(min=1, help="จำนวนล่าสุด / How many of the last.")] = 100,
    facility: FacilityOption = "",
) -> None:
    """ใครดูหรือส่งออกข้อมูลส่วนบุคคล เมื่อไร / Who looked at bodies or wrote them to files, and when."""
    from flows.cli.scope import environment_in_scope
    from flows.reports.claim_history import render_accesses
    from load.accesses import accesses as read_accesses
    from load.database import audit_engine

    with exit_on_error():
        settings = read_settings()
        with audit_engine(settings.audit_url()) as engine:
            rows = read_accesses(engine, environment_in_scope(settings, facility), last)
        for line in render_accesses(rows):
            screen.print(line, soft_wrap=True)


def settle(
    vn: Annotated[str, typer.Argument(metavar="VN", help="เลข VN / The visit.")],
    as_: Annotated[
        str,
        typer.Option(
            "--as", metavar="accepted|refused|again|withdrawn", help="รับแล้ว ไม่รับ ส่งใหม่ หรือถอน / Where it stands."
        ),
    ],
    note: Annotated[str, typer.Option(help="เหตุผล เก็บในประวัติ / How you know; kept in its history.")],
    kind: Annotated[str, typer.Option(help="ประเภท / dm, ht, epi or dt.")] = "",
    item: Annotated[str, typer.Option(help="รหัสวัคซีน / Vaccine code.")] = "",
    uid: Annotated[str, typer.Option(help="เลขธุรกรรม / Transaction number of what was accepted.")] = "",
    facility: FacilityOption = "",
) -> None:
    """เจ้าหน้าที่ตัดสินรายการที่ตรวจแล้ว ให้ส่งใหม่ หรือถอนของไฟล์ Excel / A person says where a claim stands, or takes it back."""
    from flows.cli.scope import settings_in_scope
    from flows.runs.settle import SettleRequest, settle_claim

    with exit_on_error():
        settings = settings_in_scope(read_settings(), facility)
        said = settle_claim(settings, SettleRequest.of(vn, as_, note=note, kind=kind, item=item, uid=uid))
        screen.print(said.say(settings.language), highlight=False, markup=False, soft_wrap=True)
