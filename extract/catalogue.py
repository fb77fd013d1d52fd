"""Which tables and columns a hospital database has, as they differ between versions of a HIS."""

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
_INDEXED_OF_MYSQL = text(
    "SELECT column_name FROM information_schema.statistics "
    "WHERE table_schema = DATABASE() AND table_name = :table AND seq_in_index = 1"
)
_NO_RIGHT = (1142, 1143, "42501")
MAY_NOT_BE_READ = Message(
    th="บัญชีของ his.url ไม่มีสิทธิ์อ่านตาราง {table} (หรือไม่มีตารางนี้) กรุณาให้สิทธิ์ SELECT ทั้งฐานข้อมูลแก่บัญชีนี้",
    en="The account of his.url may not read the table {table} (or there is none): give it SELECT on the whole database.",
)


class Catalogue:
    """The tables and columns of one database, each table looked up once; names are compared without regard to case.

    Args:
        connection: An open connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._columns: dict[str, frozenset[str]] = {}
        self._indexed: dict[str, frozenset[str]] = {}

    def has(self, *names: str) -> bool:
        """Whether all of these tables ("ovst") and columns ("ovst.an") exist."""
        return all(self._has(*name.lower().partition(".")[::2]) for name in names)

    def indexed(self, name: str) -> bool:
        """Whether an index of a table begins with this column ("ovst.hn"); False of a view, whose indexes are not seen."""
        table, _, column = name.lower().partition(".")
        if not self.has(name):
            return False
        if table not in self._indexed:
            self._indexed[table] = self._look_up_indexes(table)
        return column in self._indexed[table]

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those tables and columns that do not exist; for a missing table only its name."""
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
            # SQLAlchemy uses SHOW CREATE TABLE, which a read-only account may not run on a view.
            found = frozenset(map(str.lower, self._connection.execute(_OF_MYSQL, {"table": table}).scalars()))
            if not found:
                self._try(table)
            return found
        with warnings.catch_warnings():
            # SQLAlchemy warns of column types it does not know; only the names matter here.
            warnings.simplefilter("ignore", SAWarning)
            try:
                columns = inspect(self._connection).get_columns(table)
            except NoSuchTableError:
                return frozenset()
        if self._connection.dialect.name == "postgresql":
            self._try(table)
        return frozenset(str(column["name"]).lower() for column in columns)

    def _look_up_indexes(self, table: str) -> frozenset[str]:
        """The first columns of a table's indexes."""
        if self._connection.dialect.name in ("mysql", "mariadb"):
            return frozenset(map(str.lower, self._connection.execute(_INDEXED_OF_MYSQL, {"table": table}).scalars()))
        inspector = inspect(self._connection)
        keys = [inspector.get_pk_constraint(table)["constrained_columns"]]
        keys += [unique["column_names"] for unique in inspector.get_unique_constraints(table)]
        for index in inspector.get_indexes(table):
            # An index of some rows, or of an expression, finds no person.
            if not index.get("dialect_options", {}).get("postgresql_where"):
                keys.append([column or "" for column in index["column_names"]])
        return frozenset(columns[0].lower() for columns in keys if columns)

    def _try(self, table: str) -> None:
        """Fail if the table exists but may not be read: to treat it as missing would silently lose its claims.

        Raises:
            SourceError: The account has no right to read it.
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
