"""The database's clock in SQL: machines that share an audit may have clocks that differ."""

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from load.columns import Instant


class DatabaseTime(FunctionElement[datetime]):
    """The time by the database's own clock.

    Args:
        seconds: How long after now.
    """

    type = Instant()
    inherit_cache = True

    def __init__(self, seconds: float = 0) -> None:
        super().__init__(literal(round(seconds * 1000), Integer()))


@compiles(DatabaseTime, "sqlite")
def _time_of_sqlite(element: DatabaseTime, compiler: SQLCompiler, **_: Any) -> str:
    # As SQLAlchemy stores a moment in SQLite: with six decimals.
    milliseconds = compiler.process(element.clauses)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', ({milliseconds} / 1000.0) || ' seconds')"


@compiles(DatabaseTime, "postgresql")
def _time_of_postgresql(element: DatabaseTime, compiler: SQLCompiler, **_: Any) -> str:
    return f"(clock_timestamp() at time zone 'utc' + {compiler.process(element.clauses)} * interval '1 millisecond')"


@compiles(DatabaseTime, "mysql", "mariadb")
def _time_of_mariadb(element: DatabaseTime, compiler: SQLCompiler, **_: Any) -> str:
    return f"date_add(utc_timestamp(6), interval {compiler.process(element.clauses)} * 1000 microsecond)"
