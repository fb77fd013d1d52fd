"""New empty databases on the three kinds of server, dropped at the end or, where that never came, by the next session.

Each process of a session has a token, which is part of the names of its databases, and holds a lock of that name at
the server for as long as it lives. So databases whose lock is free belong to nobody any more.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from sandbox.his.database import create_database, drop_database

BACKENDS = ("sqlite", "mariadb", "postgresql")
# For what a database can hardly make a difference to: all three are the slow tests' business.
SQLITE_FIRST = ["sqlite", *(pytest.param(server, marks=pytest.mark.slow) for server in BACKENDS[1:])]
SERVERS = {
    "mariadb": os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306"),
    "postgresql": os.environ.get("TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
}
PREFIX = "moph_test_"
_TAKE_LOCK = {
    "mariadb": "select get_lock(:name, 0)",
    "postgresql": "select pg_try_advisory_lock(hashtext(:name))",
}
_FREE_LOCK = {"mariadb": "select release_lock(:name)", "postgresql": "select pg_advisory_unlock(hashtext(:name))"}
_NAMES = {
    "mariadb": "select schema_name from information_schema.schemata",
    "postgresql": "select datname from pg_database",
}


class Databases:
    """The databases of one process of a session. Call it with "sqlite", "mariadb" or "postgresql" for a new one's URL.

    Args:
        folder: SQLite files go there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._token = uuid.uuid4().hex[:8]
        self._numbers = count(1)
        self._locks: dict[str, sa.Connection] = {}

    def __call__(self, backend: str) -> str:
        """The URL of a new empty database; the test skips where there is no such server, and fails in CI."""
        name = f"{PREFIX}{self._token}_{next(self._numbers)}"
        if backend == "sqlite":
            return f"sqlite:///{self._folder / name}.sqlite"
        if backend not in self._locks:
            self._locks[backend] = self._begin(backend)
        url = _url(backend, name)
        create_database(url)
        return url

    def close(self) -> None:
        """Drop them all."""
        for backend, connection in self._locks.items():
            for name in _names(connection, backend):
                if name.startswith(f"{PREFIX}{self._token}_"):
                    _drop(_url(backend, name))
            connection.close()
            connection.engine.dispose()

    def _begin(self, backend: str) -> sa.Connection:
        """Take the lock that says that this process lives, and drop what dead ones have left."""
        engine = sa.create_engine(SERVERS[backend], isolation_level="AUTOCOMMIT")
        try:
            connection = engine.connect()
        except sa.exc.SQLAlchemyError:
            if os.environ.get("CI"):
                pytest.fail(f"{backend} does not answer, and CI tests all three databases")
            pytest.skip(f"{backend} does not answer")
        _asked(connection, _TAKE_LOCK[backend], f"{PREFIX}{self._token}")
        for name in _names(connection, backend):
            owner = name.rpartition("_")[0]
            if owner != f"{PREFIX}{self._token}" and _asked(connection, _TAKE_LOCK[backend], owner):
                _drop(_url(backend, name))
                _asked(connection, _FREE_LOCK[backend], owner)
        return connection


def _drop(url: str) -> None:
    # MariaDB at times leaves a file of a trigger behind, and then cannot remove the folder: no fault of a test.
    with suppress(sa.exc.OperationalError):
        drop_database(url)


def _names(connection: sa.Connection, backend: str) -> Iterator[str]:
    found = connection.execute(sa.text(_NAMES[backend])).scalars().all()
    return (name for name in found if name.startswith(PREFIX))


def _asked(connection: sa.Connection, query: str, name: str) -> bool:
    return bool(connection.execute(sa.text(query), {"name": name}).scalar())


def _url(backend: str, name: str) -> str:
    return sa.make_url(SERVERS[backend]).set(database=name).render_as_string(hide_password=False)
