"""`moph-claim audit verify`, `audit show` and `settle`: what the audit proves, what it tells, what a person decides."""

from typing import Annotated

import typer

from core.messages import Message
from flows.cli.console import Exit, FacilityOption, errors, exit_on_error, screen
from flows.settings.read import read_settings

app = typer.Typer(help="พิสูจน์และค้นบันทึกตรวจสอบ / Prove the audit, and look into it.", no_args_is_help=True)


@app.command()
def verify(
    run: Annotated[
        str, typer.Option(metavar="ID", help="เฉพาะการทำงานนี้ / Only this run; its first letters will do.")
    ] = "",
    facility: FacilityOption = "",
) -> None:
    """พิสูจน์ว่าบันทึกไม่ถูกแก้ไข / Prove that nothing in the audit was changed, removed or inserted."""
    from flows.cli.scope import environment_in_scope
    from flows.reports.claim_history import verification_message
    from load.database import audit_engine
    from load.verify import verify as verify_audit

    with exit_on_error():
        settings = read_settings()
        environment = environment_in_scope(settings, facility)
        with audit_engine(settings.audit_url()) as engine:
            checked = verify_audit(engine, environment, run)
        sentence = verification_message(checked, run).say(settings.language)
        if not checked.mismatch:
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
    from load.claim_history import claim_histories
    from load.database import audit_engine

    with exit_on_error():
        settings = settings_in_scope(read_settings(), facility)
        with audit_engine(settings.audit_url()) as engine:
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


def settle(
    vn: Annotated[str, typer.Argument(metavar="VN", help="เลข VN / The visit.")],
    as_: Annotated[
        str,
        typer.Option("--as", metavar="accepted|refused|again", help="รับแล้ว ไม่รับ หรือส่งใหม่ / Where it stands."),
    ],
    note: Annotated[str, typer.Option(help="เหตุผล เก็บในประวัติ / How you know; kept in its history.")],
    kind: Annotated[str, typer.Option(help="ประเภท / dm, ht, epi or dt.")] = "",
    item: Annotated[str, typer.Option(help="รหัสวัคซีน / Vaccine code.")] = "",
    uid: Annotated[str, typer.Option(help="เลขธุรกรรม / Transaction number of what was accepted.")] = "",
    facility: FacilityOption = "",
) -> None:
    """เจ้าหน้าที่ตัดสินรายการที่น่าจะรับแล้ว หรือปล่อยให้ส่งใหม่ / A person says where a claim stands."""
    from flows.cli.scope import settings_in_scope
    from flows.runs.settle import SettleRequest, settle_claim

    with exit_on_error():
        settings = settings_in_scope(read_settings(), facility)
        said = settle_claim(settings, SettleRequest.of(vn, as_, note=note, kind=kind, item=item, uid=uid))
        screen.print(said.say(settings.language), highlight=False, markup=False, soft_wrap=True)
