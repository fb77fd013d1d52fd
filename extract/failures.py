"""Turns the errors of database drivers into one sentence, without the driver's own text, which may quote data.

One table maps the error codes of all servers. Sources: MySQL and MariaDB server error references, PostgreSQL appendix A
(SQLSTATE), SQLite result texts.
"""

import sqlite3
from collections.abc import Callable
from datetime import date
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from core.messages import Message
from extract.errors import SourceError
from extract.watch import CutOff, Reason

Answer = TypeVar("Answer")

UNREACHABLE = Message(
    th="ติดต่อฐานข้อมูลโรงพยาบาลไม่ได้ ({at}) กรุณาตรวจชื่อเครื่อง พอร์ต และเครือข่าย แล้วลองใหม่",
    en="The hospital database does not answer ({at}): check host, port and network, then try again.",
)
REFUSED = Message(
    th="ฐานข้อมูลโรงพยาบาลไม่รับชื่อผู้ใช้หรือรหัสผ่าน ({at}) กรุณาตรวจค่า his.url สิทธิ์ของบัญชี และวันหมดอายุของรหัสผ่าน",
    en="The hospital database refuses the user name or password ({at}): check the setting his.url, the account's rights, "
    "and whether its password has expired.",
)
PASSWORD_EXPIRED = Message(
    th="รหัสผ่านของบัญชีฐานข้อมูลโรงพยาบาลหมดอายุแล้ว ({at}) กรุณาให้ผู้ดูแลระบบต่ออายุ แล้วแก้ค่า his.url หากรหัสเปลี่ยน",
    en="The password of the hospital database's account has expired ({at}): let its administrator renew it, "
    "and set his.url anew if it changes.",
)
LOCKED = Message(
    th="บัญชีฐานข้อมูลโรงพยาบาลถูกล็อก ({at}) กรุณาให้ผู้ดูแลระบบปลดล็อก",
    en="The hospital database's account is locked ({at}): let its administrator unlock it.",
)
NO_DATABASE = Message(
    th="ไม่มีฐานข้อมูลชื่อนี้บนเครื่องแม่ข่าย ({at}) กรุณาตรวจชื่อฐานข้อมูลในค่า his.url",
    en="The server has no such database ({at}): check the database name in the setting his.url.",
)
BAD_CHARSET = Message(
    th="เครื่องแม่ข่าย ({at}) ไม่รู้จักชุดอักขระนี้ กรุณาตั้งค่า his.charset (หรือ his.stored_charset) เป็น utf8 หรือ tis620",
    en="The server ({at}) does not know this character set: set his.charset (or his.stored_charset) to utf8 or tis620.",
)
BAD_OPTIONS = Message(
    th="ใช้ตัวเลือกที่อยู่หลังเครื่องหมาย ? ในค่า his.url ไม่ได้ ({at}) กรุณาแก้หรือลบออก",
    en="The options behind the ? of the setting his.url cannot be used ({at}): mend or remove them.",
)
NO_TABLE = Message(
    th="ไม่พบตารางหรือคอลัมน์ หรือไม่มีสิทธิ์อ่าน ขณะอ่าน {doing} จาก {at} กรุณาตรวจไฟล์ SQL และสิทธิ์ของบัญชี",
    en="A table or column is not there or may not be read ({doing}, {at}): check the SQL file and the account's rights.",
)
TOO_SLOW = Message(
    th="การอ่าน {doing} จาก {at} ใช้เวลาเกินกำหนดจึงถูกหยุด กรุณารันในเวลาที่ระบบว่าง หรือเพิ่มค่า his.statement_timeout_seconds",
    en="Reading {doing} from {at} took longer than allowed and was stopped: run at a quieter hour, "
    "or raise the setting his.statement_timeout_seconds.",
)
DAY_TOO_SLOW = Message(
    th="การอ่านข้อมูล {day} จาก {at} ใช้เวลารวมเกินกำหนดจึงถูกหยุด (ถึง {doing}) กรุณารันในเวลาที่ระบบว่าง หรือเพิ่มค่า his.day_timeout_seconds",
    en="Reading {day} from {at} took longer in all than allowed and was stopped (at {doing}): run at a quieter hour, "
    "or raise the setting his.day_timeout_seconds.",
)
TOO_MUCH = Message(
    th="{at} ส่งข้อมูลของ {day} มามากเกินกำหนด ({doing}) จึงหยุดอ่าน ไม่มีข้อมูลของวันนี้ถูกส่งเบิก กรุณาตรวจเงื่อนไขวันที่และการเชื่อมตารางในไฟล์ SQL "
    "และตรวจว่าไม่มีข้อความหรือไฟล์ขนาดใหญ่ในคอลัมน์ หากข้อมูลถูกต้องแล้วให้เพิ่มค่า his.most_megabytes_a_day",
    en="{at} sent more for {day} than is allowed ({doing}), so reading was stopped and nothing of it is claimed: check the "
    "SQL file's condition on the day and its joins, and the columns for large texts or files; if all is right, raise the "
    "setting his.most_megabytes_a_day.",
)
TOO_MANY_ROWS = Message(
    th="{at} ให้แถวของ {day} มามากเกินกำหนด ({doing}) จึงหยุดอ่าน ไม่มีข้อมูลของวันนี้ถูกส่งเบิก กรุณาตรวจเงื่อนไขวันที่และการเชื่อมตารางในไฟล์ SQL "
    "หากข้อมูลถูกต้องแล้วให้เพิ่มค่า his.most_rows_a_day",
    en="{at} gave more rows for {day} than are allowed ({doing}), so reading was stopped and nothing of it is claimed: check "
    "the SQL file's condition on the day and its joins; if all is right, raise the setting his.most_rows_a_day.",
)
WHOLE_DATABASE = Message(th="ฐานข้อมูล", en="the database")
LOST = Message(
    th="การเชื่อมต่อฐานข้อมูลโรงพยาบาล ({at}) หลุดระหว่างอ่าน {doing} ยังไม่มีข้อมูลสูญหาย กรุณารันใหม่",
    en="The connection to the hospital database ({at}) was lost while reading {doing}: nothing is lost, run it again.",
)
GARBLED = Message(
    th="สิ่งที่ตอบจาก {at} ไม่ใช่คำตอบของฐานข้อมูล หรือเสียหายระหว่างทาง กรุณาตรวจ host และ port ในค่า his.url และเครือข่าย",
    en="What answers at {at} is no database, or its answers are damaged on the way: check host and port in the setting "
    "his.url, and the network.",
)
NOT_SQLITE = Message(
    th="ไฟล์ {at} ไม่ใช่ฐานข้อมูล SQLite หรือเปิดอ่านไม่ได้ กรุณาตรวจค่า his.url",
    en="The file {at} is no SQLite database or may not be opened: check the setting his.url.",
)
UNREADABLE_TEXT = Message(
    th="ถอดรหัสอักขระไม่ได้ขณะอ่าน {doing} จาก {at} กรุณาตรวจค่า his.charset และ his.stored_charset",
    en="Text cannot be decoded while reading {doing} from {at}: check the settings his.charset and his.stored_charset.",
)
OTHER = Message(
    th="ฐานข้อมูลโรงพยาบาล ({at}) ทำตามคำขอไม่ได้ ({doing}, รหัส {code}) กรุณาตรวจไฟล์ SQL หรือแจ้งรหัสนี้แก่ผู้ดูแลระบบ",
    en="The hospital database ({at}) cannot do what {doing} asks (code {code}): "
    "check the SQL file, or give this code to its administrator.",
)

_BY_CODE: dict[int | str, Message] = {
    **dict.fromkeys((2002, 2003, 2005, 1040, 1129, 1130, "08001", "08004", "08006", "57P03", "53300"), UNREACHABLE),
    **dict.fromkeys((1045, 1044, 1698, 1524, "28P01", "28000"), REFUSED),
    **dict.fromkeys((1820, 1862), PASSWORD_EXPIRED),
    **dict.fromkeys((3118, 4151), LOCKED),
    **dict.fromkeys((1049, "3D000"), NO_DATABASE),
    1115: BAD_CHARSET,
    **dict.fromkeys((1146, 1054, 1142, 1143, "42P01", "42703", "42501"), NO_TABLE),
    **dict.fromkeys((1969, 3024, 1317, "57014"), TOO_SLOW),
    sqlite3.SQLITE_TOOBIG: TOO_MUCH,
    **dict.fromkeys((2006, 2013, 2055, 1927, 1053, 1152, 1184, "57P01", "57P02", "08003", "08007"), LOST),
}
_CUT_OFF: dict[Reason, Message] = {
    "connecting": UNREACHABLE,
    "statement": TOO_SLOW,
    "day": DAY_TOO_SLOW,
    "size": TOO_MUCH,
    "rows": TOO_MANY_ROWS,
    "interrupted": LOST,
}
_DRIVERS = ("pymysql", "psycopg", "sqlalchemy")
# For errors without a code: SQLite's fixed texts, and libpq's while connecting (mostly in English).
_BY_TEXT: dict[str, Message] = {
    "interrupted": TOO_SLOW,
    "no such table": NO_TABLE,
    "no such column": NO_TABLE,
    "not a database": NOT_SQLITE,
    "unable to open": NOT_SQLITE,
    "authentication failed": REFUSED,
    "no password supplied": REFUSED,
    "pg_hba.conf": REFUSED,
    "not permitted to log in": LOCKED,
    "role ": REFUSED,
    "database ": NO_DATABASE,
    "connection option": BAD_OPTIONS,
    "sslmode": BAD_OPTIONS,
}


def translate_errors(at: str, doing: str, read: Callable[[], Answer], day: date | None = None) -> Answer:
    """Call `read` and turn any error of the database driver into a `SourceError`.

    Args:
        at: Where the database is, without user or password.
        doing: What is being read, such as "labs.sql"; empty while connecting.
        read: Queries the database.
        day: The service day that is read, if it is one's.

    Raises:
        SourceError: One sentence without record values or parameters; the driver's error is not chained to it.
    """
    code: int | str = "-"
    try:
        return read()
    except CutOff as cut:
        message = _CUT_OFF[cut.reason]
    except UnicodeError:
        message = UNREADABLE_TEXT
    except SQLAlchemyError as error:
        message, code = _meaning(error, connecting=not doing), server_code(error) or "-"
    except Exception as error:
        # While connecting, some of these are about the options in the address.
        if not _is_of_driver(error) or (not doing and isinstance(error, TypeError | ValueError | OSError)):
            raise
        message = GARBLED
    # Raised outside the except block: the driver's error may quote data and must not become the context of ours.
    what = Message(doing, doing) if doing else WHOLE_DATABASE
    of_day = Message(f"{day}", f"{day}") if day else WHOLE_DATABASE
    raise SourceError(
        Message(
            message.th.format(at=at, doing=what.th, code=code, day=of_day.th),
            message.en.format(at=at, doing=what.en, code=code, day=of_day.en),
        )
    )


def _is_of_driver(error: Exception) -> bool:
    """Whether an error was raised in a database driver: some raise whatever comes of bytes that make no sense."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    return frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith(_DRIVERS)


def server_code(error: SQLAlchemyError) -> int | str | None:
    """The server's error number or SQLSTATE; neither contains data."""
    origin = error.orig if isinstance(error, DBAPIError) else None
    first = origin.args[0] if origin is not None and origin.args else None
    if isinstance(first, int):
        return first
    return getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorcode", None)


def _meaning(error: SQLAlchemyError, *, connecting: bool) -> Message:
    code = server_code(error)
    if code in _BY_CODE:
        return _BY_CODE[code]
    words = str(error.orig) if isinstance(error, DBAPIError) else ""
    for part, message in _BY_TEXT.items():
        if part in words and (connecting or message not in (REFUSED, NO_DATABASE)):
            return message
    if connecting:
        return UNREACHABLE
    return LOST if isinstance(error, DBAPIError) and error.connection_invalidated else OTHER
