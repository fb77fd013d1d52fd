"""`moph-claim audit backup`, `audit restore` and `audit accept-restored`: copies of the audit, put back by a person."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.errors import ConfigurationError
from core.messages import Message
from flows.cli.console import FacilityOption, exit_on_error, screen
from flows.settings.model import Settings
from flows.settings.read import read_settings

YesOption = Annotated[bool, typer.Option("--yes", help="ยืนยัน ไม่ต้องถาม / Do not ask.")]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="ไฟล์ที่จะสร้าง / File to make; never written over.")],
) -> None:
    """สำรองฐานข้อมูลตรวจสอบ ขณะระบบทำงานได้ / Copy the audit, also while runs are under way, and verify the copy."""
    from flows.runs.audit_backup import back_up

    with exit_on_error():
        settings = read_settings()
        _say(settings, back_up(settings, file))


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="ไฟล์สำรอง / A backup; it stays as it is.")],
    yes: YesOption = False,
) -> None:
    """นำสำเนากลับมาใช้ ฐานข้อมูลเดิมเก็บไว้ข้างกัน / Put a backup of SQLite in the audit's place; the present one is kept."""
    from flows.runs.audit_backup import restore as restore_audit
    from flows.service.prefect_config import running_server

    with exit_on_error():
        settings = read_settings()
        if running_server(settings.data_folder):
            raise ConfigurationError(_STOP_FIRST)
        _confirm(settings, _ABOUT_TO_RESTORE.fill(file=file), yes)
        _say(settings, restore_audit(settings, file))


def accept_restored(
    facility: FacilityOption = "",
    yes: YesOption = False,
) -> None:
    """ยอมรับฐานข้อมูลที่กู้คืน แล้วจึงส่งต่อได้ / Accept an audit that has gone back in time: sending goes on, asking first."""
    from flows.runs.accept_restored import accept_restored as accept
    from flows.runs.accept_restored import what_is_missing

    with exit_on_error():
        settings = read_settings()
        some = [settings.of(facility)] if facility else settings.each()
        for one in some:
            _confirm(one, what_is_missing(one), yes)
            _say(one, accept(one))


def _confirm(settings: Settings, about: Message, yes: bool) -> None:
    """Say what is about to be done, and go on if a person agrees.

    Raises:
        ConfigurationError: The person does not, or there is nobody to ask.
    """
    _say(settings, about)
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(_NOBODY_TO_ASK)
    if not typer.confirm(_SURE.say(settings.language)):
        raise ConfigurationError(_NOT_DONE)


def _say(settings: Settings, message: Message) -> None:
    screen.print(message.say(settings.language), highlight=False, markup=False, soft_wrap=True)


_STOP_FIRST = Message(
    "moph-claim up กำลังทำงานอยู่ กรุณาหยุดก่อน แล้วสั่งใหม่", "`moph-claim up` is running: stop it first, then say it again."
)
_ABOUT_TO_RESTORE = Message(
    "จะนำ {file} มาแทนฐานข้อมูลตรวจสอบปัจจุบัน ซึ่งจะเก็บไว้ข้างกัน สิ่งที่ส่งหลังจากวันที่สำรองจะไม่อยู่ในฐานข้อมูล",
    "{file} takes the place of the present audit, which is kept beside it. What was sent after the backup was made is not in it.",
)
_SURE = Message("ดำเนินการต่อ?", "Go on?")
_NOBODY_TO_ASK = Message(
    "ยังไม่ได้ทำอะไร ถ้าต้องการดำเนินการให้สั่งใหม่พร้อม --yes", "Nothing was done: say it again with --yes if you mean it."
)
_NOT_DONE = Message("ยังไม่ได้ทำอะไร", "Nothing was done.")
