"""The database of a synthetic hospital: SQLite, MariaDB, MySQL or PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

Row = tuple[str | int | float | None, ...]
"""One row, in the order of the table's columns; dates and times are ISO text, which every database accepts."""

ZERO_DATE = "0000-00-00"
"""A date that was never entered, as MariaDB and SQLite store it."""

_ZERO_DATE_OF_POSTGRES = "1899-12-30"


class HisExistsError(Exception):
    """The database already has tables of a hospital; they are never overwritten."""


def _engine(url: str | sa.URL) -> sa.Engine:
    address = sa.make_url(url)
    options: dict[str, Any] = {}
    if address.get_backend_name() in ("mysql", "mariadb"):
        # In its default mode the server refuses 0000-00-00, which the tables of every hospital contain.
        options["connect_args"] = {"sql_mode": "", "charset": "utf8mb4"}
    return sa.create_engine(address, poolclass=sa.NullPool, hide_parameters=True, **options)


@contextmanager
def _server(url: str) -> Iterator[tuple[sa.Connection, str]]:
    """A connection to the server itself, and the quoted name of the URL's database."""
    address = sa.make_url(url)
    home = "postgres" if address.get_backend_name() == "postgresql" else None
    # URL.set ignores None, so the database's name can only be removed by building a new URL.
    engine = _engine(sa.URL.create(**{**address._asdict(), "database": home}))
    if address.database is None:
        raise ValueError("the URL names no database")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection, engine.dialect.identifier_preparer.quote_identifier(address.database)
    engine.dispose()


def create_database(url: str) -> None:
    """Create the empty database a MariaDB, MySQL or PostgreSQL URL names (TIS-620 on the first two)."""
    with _server(url) as (connection, name):
        postgres = connection.dialect.name == "postgresql"
        charset = " ENCODING 'UTF8' TEMPLATE template0" if postgres else " CHARACTER SET tis620"
        connection.exec_driver_sql(f"CREATE DATABASE {name}{charset}")


def drop_database(url: str) -> None:
    """Drop the database a MariaDB, MySQL or PostgreSQL URL names, if it is there."""
    with _server(url) as (connection, name):
        force = " WITH (FORCE)" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}{force}")


class Store:
    """An open hospital database, to insert rows into.

    Args:
        connection: The driver's own connection, taken from SQLAlchemy.
        dialect: SQLAlchemy's dialect of the database.
        tables: The tables.
    """

    def __init__(self, connection: Any, dialect: sa.Dialect, tables: sa.MetaData) -> None:
        self._connection = connection
        self._dialect = dialect.name
        # A table's name may be a reserved word, such as `user` on PostgreSQL.
        self._quoted = {name: dialect.identifier_preparer.quote(name) for name in tables.tables}
        self._columns = {table.name: [column.name for column in table.columns] for table in tables.sorted_tables}

    def insert(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Insert rows of several tables and commit."""
        cursor = self._connection.cursor()
        for table, batch in rows.items():
            name, columns = self._quoted[table], self._columns[table]
            if self._dialect == "postgresql":
                with cursor.copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy:
                    for row in batch:
                        copy.write_row(_postgres_row(row) if ZERO_DATE in row else row)
            else:
                marks = ", ".join(["?" if self._dialect == "sqlite" else "%s"] * len(columns))
                statement = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
                cursor.executemany(statement, batch)
        cursor.close()
        self._connection.commit()


def _postgres_row(row: Row) -> Row:
    return tuple(_ZERO_DATE_OF_POSTGRES if value == ZERO_DATE else value for value in row)


@contextmanager
def new_hospital(url: str, tables: sa.MetaData) -> Iterator[Store]:
    """Create the tables in the database of this URL, and keep it open while the block lasts.

    Raises:
        HisExistsError: The database holds such tables already.
    """
    engine = _engine(url)
    if set(sa.inspect(engine).get_table_names()) & set(tables.tables):
        raise HisExistsError("the database already holds tables of a hospital: choose an empty one")
    tables.create_all(engine)
    connection = engine.raw_connection()
    try:
        if engine.dialect.name == "sqlite":
            # Faster; if a power cut damages the file it can be built again.
            connection.cursor().execute("PRAGMA synchronous = OFF")
        yield Store(connection, engine.dialect, tables)
    finally:
        connection.close()
        engine.dispose()
