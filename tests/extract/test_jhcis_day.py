"""What a health centre's JHCIS leaves behind, by hand on the three databases."""

from collections.abc import Callable
from datetime import date, time, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa
from small_hospital import ALL, settings_for

from extract.contract import DayTables
from extract.source import open_source
from sandbox.his.jhcis.tables import jhcis_tables
from transform.codes import read_codes
from transform.labs import latest_results

DAY, NEXT_DAY = date(2026, 9, 21), date(2026, 9, 22)
OURS = {"pcucode": "07533"}
VISIT = OURS | {"pcucodeperson": "07533", "pid": 1, "visitdate": DAY, "rightcode": "01", "flagservice": "01"}
ROWS: dict[str, list[dict[str, object]]] = {
    "office": [{"offid": "0000x"}, {"offid": "07533"}],
    "chospital": [{"hoscode": "07533", "hosname": "รพ.สต.ตัวอย่าง"}],
    "person": [{"pcucodeperson": "07533", "pid": 1, "prename": "003", "fname": "สมมติ", "lname": "ตัวอย่าง"}],
    "cright": [{"rightcode": "01", "rightname": "บัตรทอง", "rightgroup": "3"}],
    "visit": [
        *(VISIT | {"visitno": number} for number in (1, 2, 4)),
        VISIT | {"visitno": 3, "username": "twice", "timestart": time(9, 30)},
    ],
    "visitdiag": [OURS | {"visitno": number, "diagcode": "E11.9", "dxtype": "01"} for number in (1, 2, 4)],
    "visitlabchcyhembmsse": [
        OURS | {"visitno": 1, "seqonday": 1, "labcode": "CH99", "labresultdigit": 7.1},
        OURS | {"visitno": 1, "seqonday": 2, "labcode": "CH99", "labresultdigit": 0, "labresulttext": ""},
        OURS | {"visitno": 2, "seqonday": 1, "labcode": "CH99", "labresultdigit": 0, "labresulttext": "รอผล"},
        OURS | {"visitno": 4, "seqonday": 1, "datecheck": DAY, "labcode": "CH99", "labresultdigit": 6.1},
        OURS | {"visitno": 4, "seqonday": 1, "datecheck": NEXT_DAY, "labcode": "CH99", "labresultdigit": 8.4},
        OURS | {"visitno": 4, "seqonday": None, "datecheck": DAY, "labcode": "CH99", "labresultdigit": 6.2},
        OURS | {"visitno": 4, "seqonday": None, "datecheck": DAY, "labcode": "CH99", "labresultdigit": 6.2},
    ],
    "visitepi": [
        OURS | {"visitno": 3, "vaccinecode": "V1", "dateepi": DAY},
        OURS | {"visitno": 3, "vaccinecode": "D1", "dateepi": DAY - timedelta(days=1)},
        # without a visit: ours, of nobody named, of another place, of another day
        OURS | {"vaccinecode": "V1", "dateepi": DAY, "hosservice": "07533"},
        OURS | {"vaccinecode": "V1", "dateepi": DAY},
        OURS | {"vaccinecode": "V1", "dateepi": DAY, "hosservice": "10953"},
        OURS | {"vaccinecode": "V1", "dateepi": DAY - timedelta(days=1)},
    ],
    "cdrug": [
        {"drugcode": "V1", "drugname": "วัคซีน", "drugtype": "05", "files18epi": "D21"},
        {"drugcode": "D1", "drugname": "ยาเม็ด", "drugtype": "01", "files18epi": "D22"},
    ],
    "user": [
        OURS | {"username": "twice", "fullname": "ก ลาออกแล้ว", "noofoccupation": "1", "markdelete": "1"},
        OURS | {"username": "twice", "fullname": "ข ผู้ให้วัคซีน", "noofoccupation": "2", "markdelete": "0"},
    ],
}


@pytest.fixture(scope="module")
def day(new_database: Callable[[], str]) -> DayTables:
    url = new_database()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    metadata = jhcis_tables()
    # Whether a user's name is a key there is not known.
    user = metadata.tables["user"]
    metadata.remove(user)
    sa.Table("user", metadata, *(sa.Column(column.name, column.type) for column in user.columns))
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table, rows in ROWS.items():
            for row in rows:
                connection.execute(metadata.tables[table].insert(), row)
    engine.dispose()
    with open_source(settings_for(url, kind="jhcis")) as source:
        return source.read_day(DAY, ALL)


def test_a_result_that_was_never_filled_in_is_none(day: DayTables) -> None:
    rows = day.labs[day.labs["vn"].isin(["1", "2"])]
    assert rows[["vn", "result"]].to_numpy().tolist() == [["1", "7.1"], ["2", "รอผล"]]


def test_results_whose_numbers_begin_anew_each_day_all_come(day: DayTables) -> None:
    rows = day.labs[day.labs["vn"] == "4"].fillna({"lab_order": ""})
    found = [(row["result"], row["result_date"].date(), row["lab_order"]) for row in rows.to_dict("records")]
    # was the 6.1 of the first day and one of those without a number
    assert sorted(found) == [("6.1", DAY, "1"), ("6.2", DAY, ""), ("8.4", NEXT_DAY, "1")]
    (latest,) = latest_results(rows, read_codes().on(DAY).labs["dm"])["result"]
    assert latest == "8.4"


def test_the_giver_is_the_user_who_was_not_deleted(day: DayTables) -> None:
    given = day.vaccinations[day.vaccinations["vaccine_code"].notna()]
    assert given[["vaccine_code", "provider_name", "license_no"]].to_numpy().tolist() == [["D21", "ข ผู้ให้วัคซีน", "2"]]


def test_what_is_no_vaccine_is_named_and_has_no_code(day: DayTables) -> None:
    unknown = day.vaccinations[day.vaccinations["vaccine_code"].isna()]
    assert unknown[["local_code", "vaccine_name"]].to_numpy().tolist() == [["epi:D1", "ยาเม็ด"]]


def test_a_dose_of_another_day_has_not_the_visits_time(day: DayTables) -> None:
    times = day.vaccinations.set_index("local_code")["given_time"]
    assert times["epi:V1"] == "09:30"
    # was 09:30: the time of the visit, a day later
    assert pd.isna(times["epi:D1"])


def test_doses_of_the_day_without_a_visit_are_counted_unless_given_elsewhere(day: DayTables) -> None:
    # were passed over in silence
    assert day.doses_without_visit == 2
