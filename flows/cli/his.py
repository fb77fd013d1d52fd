"""`moph-claim his new`, `his check` and `his map`: bringing a hospital's database, looking at it, mapping its codes."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from core.clock import today
from core.messages import Message
from flows.cli.console import Exit, FacilityOption, day_of, exit_on_error, screen
from flows.settings.model import Settings
from flows.settings.read import read_settings

app = typer.Typer(help="ฐานข้อมูล HIS: วาง SQL ตรวจ จับคู่รหัส / The hospital's database.", no_args_is_help=True)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="ชื่อ HIS: a-z 0-9 _ / Its name, as his.kind.")],
    folder: Annotated[Path | None, typer.Option(help="โฟลเดอร์ที่จะสร้าง / Folder to make (NAME).")] = None,
) -> None:
    """วางโฟลเดอร์ SQL ของ HIS ใหม่ พร้อมคำอธิบาย / Lay out the commented SQL folder of a new HIS."""
    from extract.scaffold import FILES, scaffold

    with exit_on_error():
        settings = read_settings()
        folder = (folder or Path(name)).absolute()
        scaffold(name, folder, settings.language)
        _say(
            settings,
            Message(
                f"สร้าง {folder} แล้ว: {', '.join(FILES)}",
                f"{folder} was made: {', '.join(FILES)}",
            ),
            Message(
                "1. เขียน SQL ในไฟล์เหล่านั้น แต่ละไฟล์บอกว่าต้องให้คอลัมน์ใด และใช้พารามิเตอร์ใดได้",
                "1. Write the SQL in these files; each says which columns it must give, and which parameters it may use.",
            ),
            Message(
                f'2. ตั้งค่าใน moph-claim.toml:\n     [his]\n     kind = "{name}"\n     sql_folder = "{folder.as_posix()}"',
                f'2. Set in moph-claim.toml:\n     [his]\n     kind = "{name}"\n     sql_folder = "{folder.as_posix()}"',
            ),
            Message("3. ตรวจด้วย moph-claim his check", "3. Look at what it gives: moph-claim his check"),
        )


@app.command()
def check(
    day: Annotated[
        str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="วันที่ตรวจ / Day to look at (yesterday).")
    ] = None,
    facility: FacilityOption = "",
) -> None:
    """ตรวจ SQL ของ HIS กับข้อมูลหนึ่งวัน ไม่แสดงข้อมูลบุคคล / One day through each statement; samples are masked."""
    from flows.cli.his_check import check_his

    with exit_on_error():
        settings = read_settings().of(facility)
        code = check_his(settings, day_of(day) or today() - timedelta(days=1), screen)
    raise typer.Exit(code)


@app.command("map")
def map_(
    days: Annotated[int, typer.Option(min=1, max=400, help="จำนวนวันย้อนหลัง / Days up to yesterday.")] = 30,
    folder: Annotated[
        Path | None, typer.Option(help="โฟลเดอร์ของตารางจับคู่ / Folder of the maps (his.maps_folder, else maps).")
    ] = None,
    facility: FacilityOption = "",
) -> None:
    """สร้างหรือปรับตารางจับคู่รหัสให้คนตรวจ / Write the maps of the site's local codes, for a person to review."""
    from flows.cli.his_map import map_codes

    with exit_on_error():
        settings = read_settings().of(facility)
        to_review = map_codes(settings, days, folder, screen)
    raise typer.Exit(Exit.NEEDS_A_PERSON if to_review else Exit.OK)


def _say(settings: Settings, *sentences: Message) -> None:
    for sentence in sentences:
        screen.print(sentence.say(settings.language), markup=False, highlight=False, soft_wrap=True)
