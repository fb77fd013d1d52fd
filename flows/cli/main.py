"""The `moph-claim` command. Exit codes: 0 all well, 1 some claims need a person, 2 it could not be done, 130 stopped."""

import os
import sys
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import SecretStr
from rich.table import Column, Table
from rich.text import Text
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from core.messages import Message
from extract.session import parse_url
from flows.cli import audit, his
from flows.cli.console import Exit, FacilityOption, day_of, exit_on_error, run_once, screen
from flows.cli.options import parse_options, takes_options
from flows.parameters import ReconcileParameters, SubmitParameters
from flows.settings.read import in_force, read_settings

app = typer.Typer(
    help="ส่งรายการเบิก DMHT EPI dT ไป MOPH Claim / Send DMHT, EPI and dT claims to MOPH Claim.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(audit.app, name="audit")
app.add_typer(his.app, name="his")
app.command()(audit.settle)


def _new_workbook(stem: str) -> Path:
    """A name that is free, with a number if need be: what a person has filled in is not written over."""
    names = chain([""], (f"-{number}" for number in count(2)))
    return next(path for number in names if not (path := Path(f"{stem}{number}.xlsx")).exists())


From = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="วันแรก / First service day.")]
To = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="วันสุดท้าย / Last service day.")]


@app.command()
@takes_options(SubmitParameters)
def run(**options: Any) -> None:
    """ส่งรายการเบิก เหมือนรอบกลางคืน / Run the nightly flow now."""
    with exit_on_error():
        settings = read_settings()
        parameters = parse_options(SubmitParameters, options)
        # What is plainly wrong is said before Prefect, which takes seconds, is started.
        checked = SubmitParameters.checked(**parameters)
        parse_url(settings.of(checked.facility).his)
        code = run_once(settings, "submit-claims", **parameters)
    raise typer.Exit(code)


@app.command()
@takes_options(ReconcileParameters, "dry_run", "facility")
def reconcile(**options: Any) -> None:
    """ตรวจทานรายการที่ค้าง รอปิดสิทธิ หรือไม่แน่ใจ และสอบถามสถานะ / See to what was left, held or in doubt, now."""
    with exit_on_error():
        settings = read_settings()
        own = settings.of(options["facility"])
        if not own.facility.hcode:
            parse_url(own.his)  # said before Prefect, which takes seconds, is started
        code = run_once(settings, "reconcile", **options)
    raise typer.Exit(code)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="ไฟล์ / Workbooks: .xlsx, .xls, .ods, .csv.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="ทดลอง ไม่ส่งจริง / Send nothing.")] = False,
    facility: FacilityOption = "",
) -> None:
    """นำเข้าไฟล์ Excel และส่งรายการเบิก ผลอยู่ข้างไฟล์เดิม / Send the claims of workbooks; results lie beside them."""
    from extract.workbook.file import check_file, shown

    with exit_on_error():
        settings = read_settings()
        settings.of(facility)  # said before Prefect, which takes seconds, is started
        for path in files:
            check_file(path)
        codes = []
        for path in files:
            if len(files) > 1:
                screen.print(shown(str(path)), markup=False, highlight=False, soft_wrap=True, style="bold")
            codes.append(run_once(settings, "import-workbook", path=path, dry_run=dry_run, facility=facility))
    raise typer.Exit(max(codes))


@app.command()
def template(
    which: Annotated[Literal["dmht", "epi", "dt", "all"], typer.Argument(help="dmht, epi, dt, all")] = "all",
    out: Annotated[Path | None, typer.Option(help="ไฟล์ .xlsx ที่จะเขียน / File to write: .xlsx.")] = None,
    facility: FacilityOption = "",
) -> None:
    """เขียนไฟล์ Excel เปล่าสำหรับกรอก / Write a workbook to fill in."""
    from core.clock import today
    from extract.workbook.layout import layouts
    from flows.runs.import_workbook import dropdown_choices
    from load.workbook.template import write_template

    with exit_on_error():
        settings = read_settings().of(facility)
        out = out or _new_workbook(f"moph-claim-{which}")
        sheets = [name for name in layouts() if which in (name, "all")]
        write_template(out, sheets, dropdown_choices(settings, today()), settings.language)
        command = " ".join(["moph-claim import", *(["--facility", facility] if facility else []), str(out)])
        screen.print(
            Message(
                f"เขียน {out} แล้ว กรอกแล้วสั่ง {command}",
                f"{out} was written: fill it in, then: {command}",
            ).say(settings.language),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


@app.command()
def up(
    host: Annotated[str, typer.Option(help="ที่อยู่ / Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="พอร์ต / Port of the UI.")] = 4200,
    host_name: Annotated[
        list[str], typer.Option(help="ชื่ออื่นของหน้าเว็บ เช่นชื่อของ proxy / Another name of the UI, as a proxy's.")
    ] = [],  # noqa: B006 - typer copies it
) -> None:
    """เปิดระบบทั้งหมด: หน้าเว็บ ตารางเวลา ตัวทำงาน / Server, timetable and worker, until Ctrl-C."""
    with exit_on_error():
        settings = read_settings()
        from flows.service.address import Address
        from flows.service.up import serve

        def show(line: Message) -> None:
            screen.print(line.say(settings.language), highlight=False, markup=False, soft_wrap=True)

        try:
            serve(settings, Address(host, port), host_name, show)
        except KeyboardInterrupt:
            screen.print(Message("หยุดแล้ว", "Stopped.").say(settings.language))


@app.command()
def password() -> None:
    """รหัสผ่านของหน้าเว็บและ API / The password of the pages and the API, as name:password."""
    from flows.service.password import read_password

    with exit_on_error():
        typer.echo(read_password(read_settings().data_folder))


@app.command()
def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8899,
    hcode: Annotated[str, typer.Option(help="The account's facility.")] = "10953",
) -> None:
    """เปิด MOPH Claim จำลองบนเครื่องนี้ / A stand-in of MOPH Claim on this machine, until Ctrl-C."""
    from flows.service.address import cannot_listen
    from sandbox.server import serve
    from sandbox.world import Account, World

    account = Account(hospital_code=hcode)
    with exit_on_error():
        screen.print(
            f"http://{host}:{port}  MOPH_CLAIM_API__USERNAME={account.username} MOPH_CLAIM_API__PASSWORD={account.password}",
            highlight=False,
        )
        try:
            serve(host, port, World(accounts=(account,)))
        except OSError as error:
            raise cannot_listen(host, port, error) from None


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="โฟลเดอร์ / Folder for what it makes.")] = Path("demo"),
    language: Annotated[str, typer.Option(help="th / en")] = "th",
) -> None:
    """สาธิตทั้งระบบด้วยข้อมูลจำลอง / Everything with made-up people: no account, server or configuration."""
    from flows.cli.demo import run_demo

    with exit_on_error():
        code = run_demo(folder.absolute(), "en" if language == "en" else "th", screen)
    raise typer.Exit(code)


@app.command()
def status(from_: From = None, to: To = None, facility: FacilityOption = "") -> None:
    """สถานะรายการเบิกตามวัน ประเภท และผล / What stands in the audit, by day, kind and outcome."""
    from flows.cli.scope import settings_in_scope
    from flows.reports.tables import status_table

    with exit_on_error():
        settings = settings_in_scope(read_settings(), facility)
        screen.print(status_table(settings, day_of(from_), day_of(to)))


@app.command()
def issues(
    from_: From = None,
    to: To = None,
    excel: Annotated[bool, typer.Option("--excel", help="ไฟล์ Excel แก้แล้วนำเข้าได้ / A workbook to mend.")] = False,
    out: Annotated[Path | None, typer.Option(help="ไฟล์ .csv หรือ .xlsx / File to write: .csv or .xlsx.")] = None,
    facility: FacilityOption = "",
) -> None:
    """รายการที่ไม่ได้ส่งและเหตุผล / What did not go and why, on the screen or to CSV or Excel."""
    from flows.cli.scope import settings_in_scope
    from flows.reports.issue_workbook import write_issues
    from flows.reports.tables import issue_list, issue_rows

    with exit_on_error():
        of_all = read_settings()
        first, last = day_of(from_), day_of(to)
        out = out or (_new_workbook("moph-claim-issues") if excel else None)
        if out and out.suffix == ".xlsx":
            of_all.of(facility)  # what is mended in it is imported again, and that is for one facility
        settings = settings_in_scope(of_all, facility)
        rows = issue_rows(settings, first, last)
        if out is None:
            for line in issue_list(rows, settings.language):
                screen.print(line, soft_wrap=True)
        else:
            write_issues(settings, rows, out, first, last)
            screen.print(
                Message(f"เขียน {len(rows)} แถวลง {out}", f"{len(rows)} rows written to {out}").say(settings.language),
                markup=False,
            )
    raise typer.Exit(Exit.NEEDS_A_PERSON if len(rows) else Exit.OK)


@app.command()
def doctor(facility: FacilityOption = "") -> None:
    """ตรวจว่าพร้อมหรือไม่ ไม่ส่งรายการ / Is everything in place? Sends no claim."""
    from flows.cli.doctor import examine_each

    with exit_on_error():
        settings = read_settings()
        some = [settings.of(facility)] if facility else settings.each()
    all_ok, last = True, ""
    for one, finding in examine_each(some):
        if one.facility_key != last:
            last = one.facility_key
            screen.print(last, style="bold", markup=False, highlight=False)
        mark = "[green]✓[/]" if finding.ok else "[yellow]![/]" if finding.warning else "[red]✗[/]"
        screen.print(f"{mark} {finding.subject.say(settings.language)}: ", end="", markup=True)
        screen.print(finding.message.say(settings.language), highlight=False, markup=False, soft_wrap=True)
        all_ok = all_ok and (finding.ok or finding.warning)
    raise typer.Exit(Exit.OK if all_ok else Exit.NOT_DONE)


@app.command()
def config() -> None:
    """การตั้งค่าที่ใช้อยู่ ปิดบังความลับ / The settings in force, secrets masked."""
    with exit_on_error():
        settings = read_settings()
        table = Table("setting", Column("value", overflow="fold"))
        for key, value in in_force(settings):
            table.add_row(key, Text(_masked(value)))
        screen.print(table)


def _masked(value: object) -> str:
    if not isinstance(value, SecretStr):
        return "" if value is None else str(value)
    text = value.get_secret_value()
    if not text:
        return ""
    try:
        # A database address is shown without its password, wherever in it that stands.
        return make_url(text).set(query={}).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "********"


def main() -> None:
    """The way in: files that the program makes are for their owner alone."""
    os.umask(0o077)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
