"""The synthetic hospitals, each built and read once a session on each of the three databases."""

from collections.abc import Callable

import pytest
from hospitals import BUILD, PLAN, Reading, read_days

ReadingOf = Callable[[str, str], Reading]


@pytest.fixture(scope="session")
def reading_of(database_on: Callable[[str], str]) -> ReadingOf:
    """Gives what the days of the "hosxp" or "jhcis" gave on "sqlite", "mariadb" (tis620, zero dates) or "postgresql"."""
    readings: dict[tuple[str, str], Reading] = {}

    def reading(his: str, backend: str) -> Reading:
        if (his, backend) not in readings:
            url = database_on(backend)
            readings[his, backend] = read_days(his, url, BUILD[his](url, **PLAN))
        return readings[his, backend]

    return reading
