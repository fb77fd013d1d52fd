"""The `moph-claim` command. Exit codes: 0 all well, 1 some claims need a person, 2 it could not be done."""

import os
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.table import Column, Table
from rich.text import Text
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from extract.errors import ConfigurationError
from extract.messages import Message
from extract.session import parse_url
from flows import audit
from flows.by_hand import Exit, run_once, screen, told
from flows.settings import keys, read_settings
from flows.wish import make_wish

app = typer.Typer(
    help="ส่งรายการเบิก DMHT EPI dT ไป MOPH Claim / Send DMHT, EPI and dT claims to MOPH Claim.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(audit.app, name="audit")
app.command()(audit.settle)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            Message(
                f"วันที่ {text} ไม่ถูกต้อง ให้เขียนเป็น ค.ศ. เช่น 2026-10-31",
                f"The day {text} is not understood: write it in CE, as 2026-10-31.",
            )
        ) from None


From = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="วันแรก / First service day.")]
To = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="วันสุดท้าย / Last service day.")]


@app.command()
def run(
    from_: From = None,
    to: To = None,
    kinds: Annotated[str, typer.Option(help="ประเภท คั่นด้วยจุลภาค / Kinds, comma-separated.")] = "dm,ht,epi,dt",
    send: Annotated[
        str, typer.Option(help='"new and due", "only failed", "everything again" (dry run only).')
    ] = "new and due",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="ทดลอง ไม่ส่งจริง / Send nothing.")] = False,
    chunk_size: Annotated[int, typer.Option(min=1, max=2000, help="รายการต่อชุด / Claims a task sends.")] = 500,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="ส่งพร้อมกัน / Claims under way at once.")] = 16,
) -> None:
    """ส่งรายการเบิก เหมือนรอบกลางคืน / Run the nightly flow now."""
    with told():
        settings = read_settings()
        parameters = {
            "date_from": _day(from_),
            "date_to": _day(to),
            "kinds": [k.strip() for k in kinds.split(",") if k.strip()],
            "send": send,
            "dry_run": dry_run,
            "chunk_size": chunk_size,
            "concurrency": concurrency,
        }
        # What is plainly wrong is said before Prefect, which takes seconds, is started.
        make_wish(**parameters)
        parse_url(settings.his)
        code = run_once(settings, **parameters)
    raise typer.Exit(code)


@app.command()
def reconcile(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="ทดลอง ไม่ส่งจริง / Say what it would do.")] = False,
) -> None:
    """ตรวจทานรายการที่ค้าง รอปิดสิทธิ หรือไม่แน่ใจ และสอบถามสถานะ / See to what was left, held or in doubt, now."""
    with told():
        settings = read_settings()
        if not settings.facility.hcode:
            parse_url(settings.his)  # said before Prefect, which takes seconds, is started
        code = run_once(settings, "reconcile", dry_run=dry_run)
    raise typer.Exit(code)


@app.command()
def up(
    host: Annotated[str, typer.Option(help="ที่อยู่ / Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="พอร์ต / Port of the UI.")] = 4200,
) -> None:
    """เปิดระบบทั้งหมด: หน้าเว็บ ตารางเวลา ตัวทำงาน / Server, timetable and worker, until Ctrl-C."""
    with told():
        settings = read_settings()
        from flows.up import serve

        try:
            serve(
                settings,
                host,
                port,
                lambda line: screen.print(line.say(settings.language), highlight=False, soft_wrap=True),
            )
        except KeyboardInterrupt:
            screen.print(Message("หยุดแล้ว", "Stopped.").say(settings.language))


@app.command()
def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8899,
    hcode: Annotated[str, typer.Option(help="The account's facility.")] = "10953",
) -> None:
    """เปิด MOPH Claim จำลองบนเครื่องนี้ / A stand-in of MOPH Claim on this machine, until Ctrl-C."""
    from flows.parts import cannot_listen
    from sandbox.server import serve
    from sandbox.world import Account, World

    account = Account(hospital_code=hcode)
    with told():
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
    from flows.demo import play

    with told():
        code = play(folder.absolute(), "en" if language == "en" else "th", screen)
    raise typer.Exit(code)


@app.command()
def status(from_: From = None, to: To = None) -> None:
    """สถานะรายการเบิกตามวัน ประเภท และผล / What stands in the audit, by day, kind and outcome."""
    from flows.tables import status_table

    with told():
        settings = read_settings()
        screen.print(status_table(settings, _day(from_), _day(to)))


@app.command()
def issues(
    from_: From = None,
    to: To = None,
    out: Annotated[Path | None, typer.Option(help="ไฟล์ .csv หรือ .xlsx / File to write: .csv or .xlsx.")] = None,
) -> None:
    """รายการที่ไม่ได้ส่งและเหตุผล / What did not go and why, on the screen or to CSV or Excel."""
    from flows.tables import issue_list, issue_rows, write_rows

    with told():
        settings = read_settings()
        rows = issue_rows(settings, _day(from_), _day(to))
        if out is None:
            for line in issue_list(rows, settings.language):
                screen.print(line, soft_wrap=True)
        else:
            write_rows(rows, out, settings.language)
            screen.print(
                Message(f"เขียน {len(rows)} แถวลง {out}", f"{len(rows)} rows written to {out}").say(settings.language),
                markup=False,
            )
    raise typer.Exit(Exit.NEEDS_A_PERSON if len(rows) else Exit.WELL)


@app.command()
def doctor() -> None:
    """ตรวจว่าพร้อมหรือไม่ ไม่ส่งรายการ / Is everything in place? Sends no claim."""
    from flows.doctor import examine

    with told():
        settings = read_settings()
    ill = False
    for finding in examine(settings):
        mark = "[green]✓[/]" if finding.well else "[red]✗[/]"
        screen.print(f"{mark} {finding.what.say(settings.language)}: ", end="")
        screen.print(finding.said.say(settings.language), highlight=False, markup=False, soft_wrap=True)
        ill = ill or not finding.well
    raise typer.Exit(Exit.NOT_DONE if ill else Exit.WELL)


@app.command()
def config() -> None:
    """การตั้งค่าที่ใช้อยู่ ปิดบังความลับ / The settings in force, secrets masked."""
    with told():
        settings = read_settings()
        table = Table("setting", Column("value", overflow="fold"))
        for key, _ in keys():
            value: object = settings
            for part in key.split("."):
                value = getattr(value, part)
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
