"""Rows that a database server examines, by its own counters; unlike time, other load does not affect them."""

from collections import Counter
from typing import Any

import sqlalchemy as sa

from extract.contract import TABLES
from extract.reader import HELPER_COLUMNS

_COUNTED = {
    # Rows read from tables; not counted are look-ups that find nothing, and the server's temporary tables.
    "mysql": "SHOW SESSION STATUS LIKE 'Rows_read'",
    # seq_tup_read of the tables and idx_tup_read of the indexes in this transaction: a row is counted in one of them.
    "postgresql": "SELECT 'rows', COALESCE(SUM(pg_stat_get_xact_tuples_returned(c.oid)), 0) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i')",
}
_TABLE_OF = {frozenset(columns) | frozenset(HELPER_COLUMNS[table]): table for table, columns in TABLES.items()}


class RowsExamined:
    """Counts around every statement on the connection that reads; the reading code is not changed.

    Args:
        connection: A connection to MariaDB or PostgreSQL.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._counts: Counter[str] = Counter()
        self._streams = connection.dialect.name in ("mysql", "mariadb")
        self._ask = _COUNTED["mysql" if self._streams else "postgresql"]
        self._before = 0
        self._reading: str | None = None  # the table whose rows are being fetched
        sa.event.listen(connection.engine, "before_cursor_execute", self._begin)
        sa.event.listen(connection.engine, "after_cursor_execute", self._end)

    @property
    def by_table(self) -> Counter[str]:
        """Rows examined so far, by contract table; "" for all other statements."""
        if self._reading is not None:
            self._add(self._count(self._connection.connection.driver_connection))
        return self._counts

    def clear(self) -> None:
        """Reset the counts to zero."""
        self._counts.clear()
        self._reading = None

    def _begin(self, _connection: Any, cursor: Any, *_: Any) -> None:
        now = self._count(cursor.connection)
        if self._reading is not None:
            self._add(now)
        self._before = now

    def _end(self, _connection: Any, cursor: Any, *_: Any) -> None:
        names = frozenset(column[0].lower() for column in cursor.description or ())
        self._reading = _TABLE_OF.get(names, "")
        # MariaDB's rows are examined while they are fetched, so they are counted before the next statement.
        if not self._streams:
            self._add(self._count(cursor.connection))

    def _add(self, now: int) -> None:
        self._counts[self._reading or ""] += now - self._before
        self._before, self._reading = now, None

    def _count(self, connection: Any) -> int:
        with connection.cursor() as asking:
            asking.execute(self._ask)
            return int(asking.fetchall()[0][1])
