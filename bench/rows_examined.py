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

    Attributes:
        by_table: Rows examined so far, by contract table; "" for all other statements.

    Args:
        connection: A connection to MariaDB or PostgreSQL.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.by_table: Counter[str] = Counter()
        self._ask = _COUNTED[{"mariadb": "mysql"}.get(connection.dialect.name, connection.dialect.name)]
        self._before = 0
        sa.event.listen(connection.engine, "before_cursor_execute", self._begin)
        sa.event.listen(connection.engine, "after_cursor_execute", self._end)

    def clear(self) -> None:
        """Reset the counts to zero."""
        self.by_table.clear()

    def _begin(self, _connection: Any, cursor: Any, *_: Any) -> None:
        self._before = self._count(cursor)

    def _end(self, _connection: Any, cursor: Any, *_: Any) -> None:
        names = frozenset(column[0].lower() for column in cursor.description or ())
        self.by_table[_TABLE_OF.get(names, "")] += self._count(cursor) - self._before

    def _count(self, cursor: Any) -> int:
        with cursor.connection.cursor() as asking:
            asking.execute(self._ask)
            return int(asking.fetchone()[1])
