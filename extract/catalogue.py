"""What tables and columns a hospital database really has: they differ by version, so it is asked before it is read."""

import warnings
from collections.abc import Iterable

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SAWarning

from core.messages import Message
from extract.errors import SourceError
from extract.failures import server_code

_OF_MYSQL = text(
    "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = :table"
)
_NO_RIGHT = (1142, 1143, "42501")
MAY_NOT_BE_READ = Message(
    th="บัญชีของ his.url ไม่มีสิทธิ์อ่านตาราง {table} (หรือไม่มีตารางนี้) กรุณาให้สิทธิ์ SELECT ทั้งฐานข้อมูลแก่บัญชีนี้",
    en="The account of his.url may not read the table {table} (or there is none): give it SELECT on the whole database.",
)


class Catalogue:
    """The tables and columns of one database, each looked up once, without regard to case.

    Args:
        connection: An open connection; used only while asking.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._columns: dict[str, frozenset[str]] = {}

    def has(self, *names: str) -> bool:
        """Whether all of these tables ("ovst") and columns ("ovst.an") are there."""
        return all(self._has(*name.lower().partition(".")[::2]) for name in names)

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those tables and columns that are not there; of a missing table only its name."""
        absent = [
            name if self.has(name.partition(".")[0]) else name.partition(".")[0] for name in names if not self.has(name)
        ]
        return list(dict.fromkeys(absent))

    def _has(self, table: str, column: str) -> bool:
        columns = self._columns.get(table)
        if columns is None:
            columns = self._columns[table] = self._look_up(table)
        return column in columns if column else bool(columns)

    def _look_up(self, table: str) -> frozenset[str]:
        if self._connection.dialect.name in ("mysql", "mariadb"):
            # SQLAlchemy asks how the table was made, which a guest is not told of a view.
            found = frozenset(map(str.lower, self._connection.execute(_OF_MYSQL, {"table": table}).scalars()))
            if not found:
                self._try(table)
            return found
        with warnings.catch_warnings():
            # Column types of old or odd servers that SQLAlchemy does not know: only names matter here.
            warnings.simplefilter("ignore", SAWarning)
            try:
                columns = inspect(self._connection).get_columns(table)
            except NoSuchTableError:
                return frozenset()
        if self._connection.dialect.name == "postgresql":
            self._try(table)
        return frozenset(str(column["name"]).lower() for column in columns)

    def _try(self, table: str) -> None:
        """Find out that a table may not be read: to go on as if it were not there would lose its claims without a word.

        Raises:
            SourceError: The account has no right to it.
        """
        quoted = self._connection.dialect.identifier_preparer.quote(table)
        try:
            with self._connection.begin_nested():
                self._connection.execute(text(f"SELECT COUNT(*) FROM {quoted} WHERE 1 = 0"))  # noqa: S608 - a name of the folder's own SQL
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            if server_code(error) not in _NO_RIGHT:
                return
        else:
            return
        raise SourceError(MAY_NOT_BE_READ.fill(table=table))
