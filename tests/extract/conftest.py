"""The small hospital on each of the three databases."""

from collections.abc import Callable, Iterator

import pytest
from small_hospital import ALL, DAY, fill, settings_for

from extract.contract import DayTables
from extract.source import HisSource, open_source


@pytest.fixture(scope="session", params=["sqlite", "mariadb", "postgresql"])
def new_database(request: pytest.FixtureRequest, database_on: Callable[[str], str]) -> Callable[[], str]:
    """As everywhere, but once a session: the tests of a day read the same hospital."""
    return lambda: database_on(request.param)


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
