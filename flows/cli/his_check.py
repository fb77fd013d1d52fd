"""`moph-claim his check`: what the statements of a HIS's folder give for one day, in words and tables."""

from collections.abc import Iterator
from datetime import date

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from sqlalchemy import Dialect

from core.errors import MophClaimError
from core.messages import Language, Message
from extract import person_history
from extract.check import DayCheck, Fault, TableCheck, check_day
from extract.contract import TableName, Wanted
from extract.hcode import check_hcode
from extract.meanings import KINDS, columns
from extract.query_plan import LARGE, Step
from extract.read_only_account import prove_read_only
from extract.reader import Reader, open_reader
from extract.source import MISSING_TABLES, HisSource
from flows.cli.console import Exit
from flows.settings.model import Settings
from transform.claim import KINDS as ALL_KINDS
from transform.claims import wanted
from transform.code_map_check import check_code_maps
from transform.codes import read_codes

TABLE_NAMES: dict[TableName, Message] = {
    "labs": Message("ผลแล็บ", "Lab results"),
    "vaccinations": Message("วัคซีน", "Vaccinations"),
    "visits": Message("การรับบริการ", "Visits"),
    "diagnoses": Message("วินิจฉัย", "Diagnoses"),
}
FAULTS: dict[Fault, Message] = {
    "missing": Message("ไฟล์ SQL ไม่ได้ให้คอลัมน์นี้", "the SQL file does not give this column"),
    "unknown": Message("ไม่มีคอลัมน์นี้ในข้อตกลง", "the contract has no such column"),
    "repeated": Message("ไฟล์ SQL ให้คอลัมน์ชื่อนี้สองครั้ง", "the SQL file gives two columns of this name"),
    "empty": Message("ว่าง ทั้งที่ห้ามว่าง", "empty, which it may not be"),
    "no date": Message("ไม่มีแถวใดเป็นวันที่หรือเวลา", "in no row a date or a time"),
    "not given": Message(
        "ครั้งที่มีผลแล็บหรือวัคซีน แต่ไฟล์ SQL นี้ไม่ได้ให้", "visits with a result or a dose that this file does not give"
    ),
    "twice": Message("ซ้ำ หนึ่งครั้งต้องมีหนึ่งแถว", "in several rows: a visit must be one row"),
}
PERSONS_CAN_BE_ASKED = Message(
    "การนำเข้าไฟล์ Excel ตรวจการวินิจฉัยก่อนหน้าของแต่ละคนจาก HIS ได้ ด้วย HN และเลขประจำตัวประชาชน",
    "an import of a workbook can ask for a person's earlier diagnoses, by hospital number and identity number",
)
NEVER_EMPTY = Message("ห้ามว่าง", "never empty")
TOO_MUCH = Message(
    "อ่านทั้งตาราง {table} ประมาณ {size:,} แถว กรุณาเริ่มจากคอลัมน์ที่มีดัชนี เช่น วันที่รับบริการ",
    "reads the whole table {table}, about {size:,} rows: start from an indexed column, such as the day of the visit.",
)
NO_VISITS = Message("วันที่ {day} ไม่มีครั้งที่มีผลแล็บที่เบิกได้หรือวัคซีน", "On {day} no visit has a claimable result or a dose")
TRY_DAY = Message("ลองวันที่มี: moph-claim his check --day {day}", "a day that has some: moph-claim his check --day {day}")
TRY_NO_DAY = Message(
    "เดือนก่อนหน้านั้นก็ไม่มี กรุณาเลือกวันด้วย --day หรือแก้ไฟล์ SQL",
    "nor in the month before it: choose a day with --day, or mend the SQL.",
)


def check_his(settings: Settings, day: date, screen: Console) -> Exit:
    """Check a HIS's folder against a day's data, and show what was found.

    Args:
        settings: The settings in force.
        day: The service day, Gregorian.
        screen: The terminal.

    Raises:
        ConfigurationError: A setting or `his.toml` cannot be used.
        SourceError: The database does not answer, or refuses.
    """
    language = settings.language
    with open_reader(settings.his) as reader:
        his = reader.statements.his.name
        _say(screen, f"{his}  {_server(reader.connection.dialect)}  {reader.at}", style="bold")
        if missing := reader.missing_tables():
            said = MISSING_TABLES.fill(at=reader.at, names=", ".join(missing), kind=settings.his.kind)
            _say(screen, f"✗ {said.say(language)}", style="red")
            return Exit.NOT_DONE
        if not _facility(HisSource(reader, settings.his), settings, screen):
            return Exit.NOT_DONE
        proof = prove_read_only(reader)
        _say(
            screen,
            f"{'✓' if proof.is_proven else '✗'} {proof.message.say(language)}",
            style="" if proof.is_proven else "yellow",
        )
        slips = [*check_code_maps(reader.maps, read_codes(settings.transform.codes_folder))]
        _say(screen, *(f"✗ {slip.say(language)}" for slip in slips), style="yellow")
        of_claims = wanted(ALL_KINDS, settings.transform)
        checked = check_day(reader, day, of_claims)
        persons_usable = _persons(reader, day, of_claims, settings.language, screen)
    _say(screen, *_of_day(checked, language))
    for table in checked.tables:
        for part in _of_table(table, language):
            screen.print()
            screen.print(part)
    if any(table.violations for table in checked.tables):
        screen.print()
        screen.print(_violations(checked, language))
    if checked.unreadable:
        return Exit.NOT_DONE
    well = persons_usable and proof.is_proven and checked.visits and not checked.needs_attention and not slips
    return Exit.OK if well else Exit.NEEDS_A_PERSON


def _server(dialect: Dialect) -> str:
    mariadb = getattr(dialect, "is_mariadb", False)
    version: tuple[object, ...] = getattr(dialect, "server_version_info", None) or ()
    return f"{'mariadb' if mariadb else dialect.name} {'.'.join(map(str, version[:3]))}".strip()


def _facility(source: HisSource, settings: Settings, screen: Console) -> bool:
    """Say whose database it is, which is also the test of its character set; whether that is read and as configured."""
    try:
        facility = source.facility()
        check_hcode(source, settings.facility.hcode)
    except MophClaimError as error:
        _say(screen, f"✗ {error.message.say(settings.language)}", style="red")
        return False
    readable = Message(
        f"หน่วยบริการ {facility.hcode} {facility.name} (ชื่ออ่านออก ชุดอักขระถูกต้อง)",
        f"Facility {facility.hcode} {facility.name} (the name can be read: the character set is right)",
    )
    _say(screen, f"✓ {readable.say(settings.language)}")
    return True


def _persons(reader: Reader, day: date, of_claims: Wanted, language: Language, screen: Console) -> bool:
    """Say what an import of a workbook can ask of its persons; whether the statement for it, if there is one, can be used."""
    try:
        gap = person_history.gap(reader)
        steps = [] if gap is person_history.NO_FILE else person_history.check(reader, day, of_claims)
    except MophClaimError as error:
        _say(screen, f"✗ {error.message.say(language)}", style="red")
        return False
    _say(
        screen,
        f"! {gap.say(language)}" if gap else f"✓ {PERSONS_CAN_BE_ASKED.say(language)}",
        style="yellow" if gap else "",
    )
    _say(screen, *(f"✗ {person_history.FILE}: {_too_much(step).say(language)}" for step in steps), style="red")
    return not steps


def _of_day(checked: DayCheck, language: Language) -> list[str]:
    if checked.visits:
        found = Message(
            f"วันที่ {checked.day}: มี {checked.visits:,} ครั้งที่มีผลแล็บที่เบิกได้หรือวัคซีน",
            f"{checked.day}: {checked.visits:,} visits have a claimable result or a dose",
        )
        return [found.say(language)]
    if checked.unreadable:
        return []
    more = TRY_DAY.fill(day=checked.other_day) if checked.other_day else TRY_NO_DAY
    return [NO_VISITS.fill(day=checked.day).say(language) + {"th": " ", "en": "; "}[language] + more.say(language)]


def _of_table(checked: TableCheck, language: Language) -> Iterator[RenderableType]:
    title = f"{TABLE_NAMES[checked.table].say(language)}  "
    if checked.fault:
        yield Text.assemble((title, "bold"), checked.file, "\n", (f"✗ {checked.fault.say(language)}", "red"))
        return
    counts = Message(
        f"ได้ {checked.rows:,} แถว ใช้ {checked.kept:,} แถว {checked.seconds:.2f} วินาที",
        f"rows {checked.rows:,}, used {checked.kept:,}, {checked.seconds:.2f} s",
    )
    yield Text.assemble((title, "bold"), counts.say(language), "\n", (checked.file, "dim"))
    yield _contract(checked, language)
    if any(column.samples for column in checked.columns):
        yield _samples(checked, language)
    yield from _plan(checked, language)
    if checked.absent:
        yield _absent(checked, language)


def _contract(checked: TableCheck, language: Language) -> Table:
    """The contract beside what came."""
    heads = [Message("คอลัมน์", "Column"), Message("ต้องให้", "Should hold"), Message("ได้มา", "Came")]
    table = _table(heads, language)
    agreed = {column.name: column for column in columns(checked.table)}
    for found in checked.columns:
        holds = ""
        if column := agreed.get(found.name):
            kind = KINDS[column.kind].say(language) + (f", {NEVER_EMPTY.say(language)}" if column.required else "")
            holds = f"{column.meaning.say(language)} ({kind})"
        came, style = Text(f"{found.filled:,}/{checked.rows:,}"), ""
        if column is None:
            came, style = Text("UNKNOWN"), "red"
        elif not found.given:
            came, style = Text("MISSING"), "red"
        elif not found.filled and checked.rows:
            style = "dim"
        for number, what in (
            (found.lost, Message("ไม่ใช่วันเวลา", "no date or time")),
            (found.spoilt, Message("อ่านไม่ออก", "spoilt text")),
        ):
            if number:
                came.append(f"\n{number:,} {what.say(language)}", "yellow")
        table.add_row(found.name, holds, came, style=style)
    return table


def _samples(checked: TableCheck, language: Language) -> Table:
    """Some rows, on their side; columns in which nothing stands are left out."""
    most = max(len(column.samples) for column in checked.columns)
    table = _table([Message("ตัวอย่าง (ปิดบังแล้ว)", "Samples (masked)")], language)
    for number in range(most):
        table.add_column(str(number + 1), no_wrap=True, overflow="ellipsis", ratio=1)
    table.expand = True
    for column in checked.columns:
        if any(column.samples):
            table.add_row(column.name, *(Text(sample) for sample in column.samples))
    return table


def _plan(checked: TableCheck, language: Language) -> Iterator[RenderableType]:
    """How the server runs the statement."""
    if checked.plan is None:
        yield Text(
            Message("เครื่องแม่ข่ายไม่บอกแผนการอ่าน", "The server does not say how it reads this.").say(language), "dim"
        )
        return
    heads = [
        Message("แผนการอ่าน: ตาราง", "Plan: table"),
        Message("ดัชนี", "Index"),
        Message("แถวต่อครั้ง (ประมาณ)", "Rows each time (about)"),
    ]
    table = _table(heads, language)
    whole = Message("ทั้งตาราง", "whole table").say(language)
    for step in checked.plan:
        rows = step.size if step.whole else step.rows
        how = f"{whole}{' / ' if step.index else ''}{step.index}" if step.whole else step.index
        table.add_row(step.table, how, "" if rows is None else f"{rows:,}", style="red" if step.too_much else "")
    yield table
    for step in checked.plan:
        if step.too_much:
            yield Text(f"✗ {_too_much(step).say(language)}", "red")


def _too_much(step: Step) -> Message:
    return TOO_MUCH.fill(table=step.table, size=step.size or LARGE)


def _absent(checked: TableCheck, language: Language) -> Text:
    names, costs = ", ".join(checked.absent), ", ".join(checked.costs)
    said = Message(f"ไม่มีในฐานข้อมูลนี้: {names}", f"Not in this database: {names}").say(language)
    if costs:
        said += Message(f"\n  จึงว่าง: {costs}", f"\n  which leaves empty: {costs}").say(language)
    return Text(said, "yellow")


def _violations(checked: DayCheck, language: Language) -> Table:
    heads = [
        Message("ไม่ตรงข้อตกลง", "Not as agreed"),
        Message("คอลัมน์", "Column"),
        Message("อะไรผิด", "What is wrong"),
        Message("แถว", "Rows"),
    ]
    table = _table(heads, language, style="red")
    for found in (violation for t in checked.tables for violation in t.violations):
        rows = f"{found.rows:,}" if found.rows else ""
        table.add_row(f"{found.table}.sql", found.column, FAULTS[found.fault].say(language), rows)
    return table


def _table(heads: list[Message], language: Language, style: str = "") -> Table:
    table = Table(style=style, header_style="bold")
    for head in heads:
        table.add_column(head.say(language), overflow="fold")
    return table


def _say(screen: Console, *lines: str, style: str = "") -> None:
    for line in lines:
        screen.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
