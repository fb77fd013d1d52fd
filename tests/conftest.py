"""What all tests share: new databases on the three kinds of server. A server that is not there skips, but not in CI."""

import gc
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sandbox.his.database import create_database, drop_database

BACKENDS = ("sqlite", "mariadb", "postgresql")
SERVERS = {
    "mariadb": os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306"),
    "postgresql": os.environ.get("TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
}


# Who is started in the background is deaf to Ctrl-C, and so were everything that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What the libraries hold is looked through for garbage far too often: a tenth of the tests' time.
gc.set_threshold(50_000, 20, 100)


def answers(url: str) -> bool:
    """Whether a database server can be reached."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        engine.connect().close()
    except sa.exc.SQLAlchemyError:
        return False
    return True


@pytest.fixture(scope="session")
def database_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Gives the URL of a new empty database on "sqlite", "mariadb" or "postgresql"; all are dropped in the end."""
    folder: Path = tmp_path_factory.mktemp("databases")
    made: list[str] = []

    def make(backend: str) -> str:
        name = f"moph_{uuid.uuid4().hex[:12]}"
        if backend == "sqlite":
            return f"sqlite:///{folder / name}.sqlite"
        server = SERVERS[backend]
        if not answers(server):
            if os.environ.get("CI"):
                pytest.fail(f"{backend} does not answer, and CI tests all three databases")
            pytest.skip(f"{backend} does not answer")
        url = sa.make_url(server).set(database=name).render_as_string(hide_password=False)
        create_database(url)
        made.append(url)
        return url

    yield make
    for url in made:
        drop_database(url)


@pytest.fixture(params=BACKENDS)
def new_database(request: pytest.FixtureRequest, database_on: Callable[[str], str]) -> Callable[[], str]:
    """The test runs on each of the three databases; gives the URL of a new one as often as it is called."""
    return lambda: database_on(request.param)
