"""Proves that the account cannot write to the hospital's database: the server must refuse a harmless write."""

import re
import sqlite3
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.messages import Message
from extract.contract import Wanted
from extract.failures import server_code
from extract.reader import Reader
from extract.statements import FACILITY

_TABLE = re.compile(r"\bFROM\s+([`\"\w.]+)", re.IGNORECASE)


class Protection(StrEnum):
    """What prevented the write."""

    ACCOUNT = "account"
    SESSION = "session"
    FILE = "file"
    NOTHING = "nothing"
    UNTRIED = "untried"


# MySQL and MariaDB: 1142 the account lacks the right; 1792 the session is read-only, 1290 the server is (a replica).
_REFUSALS: dict[Protection, tuple[int | str, ...]] = {
    Protection.ACCOUNT: (1142, 1143, 1044, "42501"),
    Protection.SESSION: (1792, 1290, "25006"),
    Protection.FILE: (sqlite3.SQLITE_READONLY,),
}
MESSAGES: dict[Protection, Message] = {
    Protection.ACCOUNT: Message("เขียนไม่ได้: บัญชีนี้อ่านได้อย่างเดียว", "a write is refused: the account may only read"),
    Protection.SESSION: Message(
        "เขียนไม่ได้: การเชื่อมต่อเป็นแบบอ่านอย่างเดียว แต่บัญชีเองเขียนได้ ควรใช้บัญชีที่มีสิทธิ์ SELECT เท่านั้น",
        "a write is refused: the session is read-only. The account itself could write; one that may only SELECT is better.",
    ),
    Protection.FILE: Message("เขียนไม่ได้: เปิดไฟล์แบบอ่านอย่างเดียว", "a write is refused: the file is opened read-only"),
    Protection.NOTHING: Message(
        "เครื่องแม่ข่ายไม่ปฏิเสธการเขียน (โปรแกรมนี้ไม่เขียน แต่พิสูจน์ไม่ได้) กรุณาใช้บัญชีที่มีสิทธิ์ SELECT เท่านั้นใน his.url",
        "the server would let this account write (the program does not, but nothing proves it): "
        "put an account that may only SELECT into his.url.",
    ),
    Protection.UNTRIED: Message(
        "พิสูจน์ไม่ได้ว่าเขียนไม่ได้ กรุณาให้คำสั่ง facility ใน his.toml อ่านจากตาราง (ไม่ใช่ view) หรือระบุตารางใน required",
        "that a write is refused could not be tried: let the statement facility in his.toml read a table (no view), "
        "or name one in required.",
    ),
}


@dataclass(frozen=True, slots=True)
class ReadOnlyProof:
    """Whether this account could change the database.

    Args:
        protection: What prevented the write.
    """

    protection: Protection

    @property
    def is_proven(self) -> bool:
        """Whether the server refused the write."""
        return self.protection in (Protection.ACCOUNT, Protection.SESSION, Protection.FILE)

    @property
    def message(self) -> Message:
        """The finding, and what to do if a write was not refused."""
        return MESSAGES[self.protection]


def prove_read_only(reader: Reader) -> ReadOnlyProof:
    """Try `DELETE … WHERE 1 = 0` on the table of the facility, and roll back.

    Raises:
        ConfigurationError: The statement of the facility cannot be used.
        SourceError: The connection is lost.
    """
    with reader.snapshot():
        sql = reader.query(FACILITY, lambda: reader.statement(FACILITY, Wanted()).text)
        tables = [*_TABLE.findall(sql), *(name.partition(".")[0] for name in reader.statements.his.required)]
        if not tables:
            return ReadOnlyProof(Protection.UNTRIED)
        table = tables[0]
        protection = reader.query(FACILITY, lambda: _try_writing(reader.connection, table))
    if protection is Protection.SESSION and reader.connection.dialect.name == "postgresql":
        # PostgreSQL checks the session before the account; MySQL and MariaDB do it the other way round.
        with reader.snapshot():
            protection = reader.query(FACILITY, lambda: _postgresql_protection(reader.connection, table))
    return ReadOnlyProof(protection)


def _try_writing(connection: sa.Connection, table: str) -> Protection:
    try:
        connection.execute(sa.text(f"DELETE FROM {table} WHERE 1 = 0"))  # noqa: S608 - a name of the folder's own SQL
    except DBAPIError as error:
        refused = next((protection for protection, codes in _REFUSALS.items() if server_code(error) in codes), None)
        if refused is None and error.connection_invalidated:
            raise
        return refused or Protection.UNTRIED  # for example a view that cannot be updated
    return Protection.NOTHING


def _postgresql_protection(connection: sa.Connection, table: str) -> Protection:
    query = sa.text("SELECT has_table_privilege(:name, 'INSERT, UPDATE, DELETE')")
    return Protection.SESSION if connection.execute(query, {"name": table}).scalar_one() else Protection.ACCOUNT
