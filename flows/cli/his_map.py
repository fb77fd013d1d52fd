"""`moph-claim his map`: the site's code maps, filled in from what its HIS says of the last days, for a person to review."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from core.clock import today
from core.messages import Language, Message
from extract.hcode import check_hcode
from extract.his_file import MapName
from extract.local_codes import MapCount, local_codes, update_maps
from extract.site_maps import UNDECIDED
from extract.source import open_source
from flows.settings.model import Settings
from transform.claim import KINDS
from transform.claims import wanted

MAP_NAMES: dict[MapName, Message] = {
    "labs": Message("รายการแล็บ → รหัส สปสช.", "Lab items → NHSO codes"),
    "vaccines": Message("วัคซีน → รหัสเบิก", "Vaccines → claim codes"),
    "schemes": Message("สิทธิ → สิทธิที่เบิก", "Rights → schemes"),
    "nationalities": Message("สัญชาติ → รหัส 3 หลัก", "Nationalities → three digits"),
    "marital_status": Message("สถานภาพสมรส → รหัส 1 หลัก", "Marital status → one digit"),
    "occupations": Message("อาชีพ → ชื่ออาชีพ", "Occupations → names"),
}
FOLDER = Path("maps")


def map_codes(settings: Settings, days: int, folder: Path | None, screen: Console) -> int:
    """Read the last days and bring the maps up to date.

    Args:
        settings: The settings in force.
        days: How many days, up to yesterday.
        folder: Where the maps lie; None: where the settings say, else `maps`, with several facilities a folder in it each.
        screen: The terminal.

    Returns:
        How many local codes a person should look at, for nobody has said what they stand for.

    Raises:
        ConfigurationError: A setting, a statement or a map cannot be used.
        SourceError: The database cannot be read.
    """
    language = settings.language
    where = (folder or settings.his.maps_folder or FOLDER / settings.facility_key).absolute()
    first = today() - timedelta(days=days)
    needs = wanted(KINDS, settings.transform)
    # Without the site's maps: what the HIS itself says is asked, and of lab items all that it does not know.
    with open_source(settings.his, UNDECIDED) as source:
        check_hcode(source, settings.facility.hcode)  # another facility's codes do not come into the maps of this one
        of_his = source.reader.statements.his.maps
        seen = [local_codes(*source.read_frames(first + timedelta(days=day), needs), of_his) for day in range(days)]
    counts = list(update_maps(where, pd.concat(seen, ignore_index=True)))
    screen.print(_table(counts, language))
    to_review = sum(count.unknown for count in counts)
    for line in _what_next(settings, where, to_review):
        screen.print(line.say(language), markup=False, highlight=False, soft_wrap=True)
    return to_review


def _table(counts: list[MapCount], language: Language) -> Table:
    table = Table(header_style="bold")
    table.add_column(Message("ตารางจับคู่", "Map").say(language), no_wrap=True)
    table.add_column(Message("ไฟล์", "File").say(language))
    numbers = Message("รหัส", "Codes"), Message("ใหม่", "New"), Message("รู้แล้ว", "Known"), Message("ต้องดู", "To review")
    for number in numbers:
        table.add_column(number.say(language), justify="right")
    for count in counts:
        of_map = (count.codes, count.new, count.codes - count.unknown, count.unknown)
        table.add_row(MAP_NAMES[count.name].say(language), f"{count.name}.csv", *(f"{number:,}" for number in of_map))
    return table


def _what_next(settings: Settings, where: Path, to_review: int) -> list[Message]:
    said = [Message(f"เขียนลง {where}", f"Written to {where}")]
    if to_review:
        said.append(
            Message(
                "กรุณาเติมช่อง code ของแถวที่ว่าง (อยู่บนสุดของไฟล์) หรือใส่ - หากไม่ใช่สิ่งที่เบิก รหัสที่คนใส่ไว้จะไม่ถูกเปลี่ยน",
                "Fill in the column code of the empty rows (they come first), or put - where it is nothing that is claimed. "
                "A code that a person has put in is never changed.",
            )
        )
    folder = settings.his.maps_folder
    if folder is None or folder.absolute() != where:
        section = f"facilities.{settings.facility_key}.his" if settings.facility_key else "his"
        setting = f'[{section}] maps_folder = "{where.as_posix()}"'
        said.append(
            Message(
                f"ให้โปรแกรมใช้ตารางเหล่านี้ ตั้งค่าใน moph-claim.toml: {setting}",
                f"To use these maps, set in moph-claim.toml: {setting}",
            )
        )
    return said
