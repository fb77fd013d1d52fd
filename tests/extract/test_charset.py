"""Text in a wrong character set: told by the hospital's name before anything else is read, and read where a site says how."""

from collections.abc import Callable

import pandas as pd
import pytest
import sqlalchemy as sa
from small_hospital import ALL, DAY, fill, settings_for

from core.errors import ConfigurationError
from extract import contract
from extract.contract import DayTables
from extract.errors import SourceError
from extract.source import open_source
from sandbox.his.hosxp.tables import hosxp_tables

MISTAKEN = {
    "TIS-620 in latin1 columns": ("latin1", "tis620"),
    "UTF-8 in latin1 columns": ("latin1", "utf8"),
    "UTF-8 in tis620 columns": ("tis620", "utf8"),
}
"""What the columns say, and what the program that wrote them really wrote."""

WITH_THAI = {
    "opdconfig": ("hospitalname",),
    "patient": ("pname", "fname", "lname"),
    "occupation": ("name",),
    "doctor": ("name", "licenseno"),
    "person_vaccine": ("vaccine_name",),
    "wbc_vaccine": ("wbc_vaccine_name",),
    "anc_service": ("anc_service_name",),
}

pytestmark = pytest.mark.parametrize("new_database", ["mariadb"], indirect=True)


def _modify(connection: sa.Connection, kind: str) -> None:
    for table, columns in WITH_THAI.items():
        parts = ", ".join(f"MODIFY {column} {kind}" for column in columns)
        connection.exec_driver_sql(f"ALTER TABLE {table} {parts}")


@pytest.fixture(scope="module", params=MISTAKEN)
def mistaken(request: pytest.FixtureRequest, database_on: Callable[[str], str]) -> tuple[str, str]:
    """A hospital whose program told the server a wrong character set all its life: its address, what its text is in."""
    said, written = MISTAKEN[request.param]
    url = database_on("mariadb")
    fill(url)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        # Text into what was written, then its bytes alone; everything under the wrong name.
        for kind in (f"VARCHAR(150) CHARACTER SET {written}", "VARBINARY(450)"):
            _modify(connection, kind)
        for table in hosxp_tables().tables:
            connection.exec_driver_sql(f"ALTER TABLE {table} CONVERT TO CHARACTER SET {said}")
        _modify(connection, f"VARCHAR(450) CHARACTER SET {said}")
    return url, written


def test_unreadable_name_of_the_facility_is_said(hospital: str, mistaken: tuple[str, str]) -> None:
    with open_source(settings_for(mistaken[0])) as source, pytest.raises(SourceError) as error:
        source.facility()
    assert "so the character set is wrong; nothing else was read: set his.stored_charset" in error.value.message.en


def test_text_is_read_as_it_lies_where_the_site_says_what_it_is(
    hospital: str, day: DayTables, mistaken: tuple[str, str]
) -> None:
    url, written = mistaken
    with open_source(settings_for(url, stored_charset=written)) as source:
        assert source.facility().name == "โรงพยาบาลตัวอย่าง"
        read = source.read_day(DAY, ALL)
    for table in contract.TABLES:
        pd.testing.assert_frame_equal(getattr(read, table), getattr(day, table))


def test_stored_character_set_that_nobody_knows_is_said(hospital: str) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"his\.stored_charset"),
        open_source(settings_for(hospital, stored_charset="klingon")),
    ):
        pass


@pytest.mark.parametrize("charset", ["latin1", "ascii"])
def test_character_set_that_has_no_thai_is_said(hospital: str, charset: str) -> None:
    with open_source(settings_for(hospital, charset=charset)) as source, pytest.raises(SourceError) as error:
        source.facility()
    assert "The facility's name reads as ???" in error.value.message.en


def test_text_that_the_said_character_set_cannot_be_is_said(hospital: str) -> None:
    with open_source(settings_for(hospital, stored_charset="utf8")) as source, pytest.raises(SourceError) as error:
        source.facility()
    assert "Text cannot be decoded while reading facility" in error.value.message.en
