"""The small hospital on each of the three databases."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_hospital import ALL, DAY, fill, settings_for

from extract.contract import DayTables
from extract.source import HisSource, open_source
from sandbox.his.database import create_database, drop_database

SERVERS = {
    "mariadb": os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306"),
    "postgresql": os.environ.get("TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
}


def _answers(url: str) -> bool:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        engine.connect().close()
    except sa.exc.SQLAlchemyError:
        return False
    return True


@pytest.fixture(scope="session", params=["sqlite", "mariadb", "postgresql"])
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], str]]:
    """Gives the URL of a new empty database, as often as it is called; all are dropped in the end."""
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("his")
        yield lambda: f"sqlite:///{folder / uuid.uuid4().hex}.db"
        return
    server = SERVERS[request.param]
    if not _answers(server):
        if os.environ.get("CI"):
            pytest.fail(f"{request.param} does not answer, and CI tests all three databases")
        pytest.skip(f"{request.param} does not answer")
    made: list[str] = []

    def make() -> str:
        url = sa.make_url(server).set(database=f"extract_{uuid.uuid4().hex[:12]}").render_as_string(hide_password=False)
        create_database(url)
        made.append(url)
        return url

    yield make
    for url in made:
        drop_database(url)


@pytest.fixture(scope="session")
def hospital(new_database: Callable[[], str]) -> str:
    """The URL of the hospital by hand."""
    url = new_database()
    fill(url)
    return url


@pytest.fixture(scope="session")
def day(hospital: str) -> DayTables:
    """The hospital's day as the contract tables."""
    with open_source(settings_for(hospital)) as source:
        return source.read_day(DAY, ALL)


@pytest.fixture
def source(hospital: str) -> Iterator[HisSource]:
    with open_source(settings_for(hospital)) as source:
        yield source
