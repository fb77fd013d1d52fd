"""What tables and columns a hospital database really has: they differ by version, so it is asked before it is read."""

import warnings
from collections.abc import Iterable

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import NoSuchTableError, SAWarning


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
        with warnings.catch_warnings():
            # Column types of old or odd servers that SQLAlchemy does not know: only names matter here.
            warnings.simplefilter("ignore", SAWarning)
            try:
                return frozenset(str(found["name"]).lower() for found in inspect(self._connection).get_columns(table))
            except NoSuchTableError:
                return frozenset()
