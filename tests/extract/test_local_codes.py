"""The site's code maps: filled in from what the HIS says, a person's from then on, and safe in a spreadsheet."""

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from cottage import FIRST_DAY, FOLDER, build_cottage
from hypothesis import given
from hypothesis import strategies as st
from small_hospital import ALL, DAY, settings_for

from core.errors import ConfigurationError
from extract.contract import TABLES
from extract.local_codes import MapCount, local_codes, update_maps
from extract.site_maps import MAPS, UNDECIDED, as_cell, read_map, read_site_maps
from extract.source import open_source
from sandbox.his import build_hosxp, build_jhcis


def _seen(url: str, *days: object, **more: object) -> pd.DataFrame:
    with open_source(settings_for(url, **more), UNDECIDED) as source:
        of_his = source.reader.statements.his.maps
        return pd.concat(local_codes(*source.read_frames(day, ALL), of_his) for day in days)  # type: ignore[arg-type]


def _update(folder: Path, seen: pd.DataFrame) -> dict[str, MapCount]:
    return {count.name: count for count in update_maps(folder, seen)}


def _of(folder: Path, name: str) -> dict[str, tuple[str, str]]:
    return {local: (row["code"], row["decided_by"]) for local, row in read_map(folder / f"{name}.csv").items()}


def _change(folder: Path, name: str, local: str, cell: str, column: str = "code") -> None:
    """As a person does in a spreadsheet."""
    path = folder / f"{name}.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= {column: cell} if row["local_code"] == local else {}
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _codes(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    """Local lab items: code, what the HIS says it is, its name, records."""
    columns = ["local_code", "his_code", "name", "records"]
    return pd.DataFrame(rows, columns=columns).assign(
        map="labs", by=lambda f: f["his_code"].map(lambda c: "his" if c else "")
    )


def test_every_local_code_of_a_day_is_there_with_what_the_his_says(hospital: str, tmp_path: Path) -> None:
    counts = _update(tmp_path, _seen(hospital, DAY))
    assert list(counts) == list(MAPS)
    assert _of(tmp_path, "labs") == {
        "5": ("", ""), "6": ("", ""), "7": ("", ""),
        "1": ("32401", "his"), "2": ("32103", "his"), "3": ("32202", "his"),
    }  # fmt: skip
    assert counts["labs"] == MapCount("labs", codes=6, new=6, unknown=3)
    assert _of(tmp_path, "vaccines")["wbc:1"] == ("P41", "his")
    assert _of(tmp_path, "vaccines")["ovst:2"] == ("", "")
    assert _of(tmp_path, "schemes") == {"10": ("UCS", "his"), "20": ("OFC", "his")}
    assert _of(tmp_path, "nationalities") == {"99": ("099", "his"), "77": ("", ""), "88": ("", "")}
    assert _of(tmp_path, "occupations") == {"0001": ("เกษตรกร", "his")}


def test_code_of_the_folders_own_map_is_said_to_be_its(new_database: Callable[[], str], tmp_path: Path) -> None:
    url = new_database()
    build_cottage(url)
    _update(tmp_path, _seen(url, FIRST_DAY, kind="cottage", sql_folder=FOLDER))
    assert _of(tmp_path, "labs") == {"A1C": ("32401", "his.toml"), "FBS": ("", ""), "POCT": ("", "")}
    assert _of(tmp_path, "marital_status")["W"] == ("3", "his.toml")
    assert _of(tmp_path, "schemes") == {"P1": ("UCS", "his")}


def test_map_of_the_site_does_not_speak_for_the_his(hospital: str, tmp_path: Path) -> None:
    (tmp_path / "schemes.csv").write_text("local_code,code\n10,OFC\n", encoding="utf-8")
    (tmp_path / "labs.csv").write_text("local_code,code\n1,-\n", encoding="utf-8")
    seen = _seen(hospital, DAY, maps_folder=tmp_path)
    assert set(seen[(seen["map"] == "schemes") & (seen["local_code"] == "10")]["his_code"]) == {"UCS"}
    assert set(seen[(seen["map"] == "labs") & (seen["local_code"] == "1")]["his_code"]) == {"32401"}


@pytest.mark.parametrize("build", [build_hosxp, build_jhcis])
def test_maps_as_they_are_written_change_nothing(
    new_database: Callable[[], str], tmp_path: Path, build: Callable[..., object]
) -> None:
    url, kind = new_database(), build.__name__.removeprefix("build_")
    build(url, first_day=DAY, days=1, visits_a_day=40)
    _update(tmp_path, _seen(url, DAY, kind=kind))
    assert sum(bool(row["code"]) for row in read_map(tmp_path / "schemes.csv").values()) > 2
    assert set(read_site_maps(tmp_path)) == set(MAPS)
    assert not any(read_site_maps(tmp_path).values())
    with open_source(settings_for(url, kind=kind)) as source:
        before = source.read_day(DAY, ALL)
    with open_source(settings_for(url, kind=kind, maps_folder=tmp_path)) as source:
        after = source.read_day(DAY, ALL)
    for table in TABLES:
        ours = getattr(after, table)
        ours = ours[ours["vn"].isin(before.visits["vn"])]
        # What nobody knows comes along for a person to see, once there is a map of labs.
        ours = ours[ours["lab_code"].notna()] if table == "labs" else ours
        pd.testing.assert_frame_equal(ours.reset_index(drop=True), getattr(before, table))


def test_code_written_down_from_the_his_does_not_outrank_a_visits_own(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    url = new_database()
    build_jhcis(url, first_day=DAY, days=1, visits_a_day=40)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    change = sa.text("UPDATE visit SET main_inscl = :scheme WHERE rightcode = '11'")
    with engine.begin() as connection:
        connection.execute(change, {"scheme": "UCS"})
    _update(tmp_path, _seen(url, DAY, kind="jhcis"))
    assert _of(tmp_path, "schemes")["11"] == ("UCS", "his")
    with engine.begin() as connection:
        connection.execute(change, {"scheme": "OFC"})
    engine.dispose()
    with open_source(settings_for(url, kind="jhcis", maps_folder=tmp_path)) as source:
        visits = source.read_day(DAY, ALL).visits
    # was UCS, of the map
    assert set(visits.loc[visits["local_scheme"] == "11", "scheme"]) == {"OFC"}


@pytest.mark.parametrize(
    ("head", "row", "decided"),
    [
        ("local_code,code,his_code,decided_by", "11,UCS,UCS,his", {}),  # was {"11": "UCS"}, as that of the next
        ("local_code,code,his_code,decided_by", "11,UCS,UCS,his.toml", {}),
        ("local_code,code,his_code,decided_by", "11,UCS,UCS,HIS", {}),  # was {"11": "UCS"}
        ("local_code,code,his_code,decided_by", "11,UCS,UCS,person", {"11": "UCS"}),
        ("local_code,code,his_code,decided_by", "11,OFC,UCS,his", {"11": "OFC"}),
        ("local_code,code,his_code,decided_by", "11,OFC,UCS | OFC,his", {"11": "OFC"}),
        ("local_code,code,his_code,decided_by", "11,UCS,UCS,", {"11": "UCS"}),
        ("local_code,code,his_code,decided_by", "11,,UCS,person", {}),
        ("local_code,code", "11,UCS", {"11": "UCS"}),
        ("local_code,code,his_code", "11,UCS,UCS", {"11": "UCS"}),
    ],
)
def test_only_what_a_person_decided_outranks_the_his(
    tmp_path: Path, head: str, row: str, decided: dict[str, str]
) -> None:
    (tmp_path / "schemes.csv").write_text(f"{head}\n{row}\n", encoding="utf-8")
    assert read_site_maps(tmp_path)["schemes"] == decided


def test_code_of_a_map_is_read_in_capitals_as_those_of_the_his(tmp_path: Path) -> None:
    for name, code in (("vaccines", "p41"), ("occupations", "Farmer")):
        (tmp_path / f"{name}.csv").write_text(f"local_code,code\nwbc:1,{code}\n", encoding="utf-8")
    # was "p41", which is no code of the list: its doses were lost in silence
    assert read_site_maps(tmp_path) == {"vaccines": {"wbc:1": "P41"}, "occupations": {"wbc:1": "Farmer"}}


def test_code_that_a_person_confirms_is_theirs_from_then_on(tmp_path: Path) -> None:
    _update(tmp_path, _codes(("1", "32401", "A1c", 9)))
    _change(tmp_path, "labs", "1", "person", "decided_by")
    _update(tmp_path, _codes(("1", "32103", "A1c", 9)))
    assert _of(tmp_path, "labs") == {"1": ("32401", "person")}
    assert read_site_maps(tmp_path)["labs"] == {"1": "32401"}


@pytest.mark.parametrize("code", ["32202", "-", "99999"])
def test_code_of_a_person_is_never_changed(tmp_path: Path, code: str) -> None:
    _update(tmp_path, _codes(("1", "", "Cr", 3), ("2", "32401", "A1c", 9)))
    _change(tmp_path, "labs", "1", code)
    _change(tmp_path, "labs", "2", code)
    for _ in range(2):
        _update(tmp_path, _codes(("1", "32401", "Cr", 3), ("2", "32103", "A1c", 9)))
        assert _of(tmp_path, "labs") == {"1": (code, "person"), "2": (code, "person")}


def test_code_in_a_map_that_a_person_wrote_alone_is_never_changed(tmp_path: Path) -> None:
    (tmp_path / "labs.csv").write_text("local_code,code,note\n1,32202,POCT in ward 3\n", encoding="utf-8")
    _update(tmp_path, _codes(("1", "32401", "Cr", 3), ("2", "", "x", 1)))
    rows = read_map(tmp_path / "labs.csv")
    assert (rows["1"]["code"], rows["1"]["note"], rows["1"]["decided_by"]) == ("32202", "POCT in ward 3", "person")


def test_code_that_nobody_touched_follows_the_his_and_one_not_seen_stays(tmp_path: Path) -> None:
    _update(tmp_path, _codes(("1", "", "Cr", 3), ("2", "32401", "A1c", 9)))
    counts = _update(tmp_path, _codes(("1", "32202", "Cr", 4), ("3", "", "new", 1)))
    assert _of(tmp_path, "labs") == {"3": ("", ""), "1": ("32202", "his"), "2": ("32401", "his")}
    assert counts["labs"] == MapCount("labs", codes=3, new=1, unknown=1)
    assert read_map(tmp_path / "labs.csv")["2"]["records"] == "0"


def test_what_the_his_says_in_several_ways_is_left_to_it(tmp_path: Path) -> None:
    several = _codes(("1", "UCS", "right", 9), ("1", "OFC", "right", 1))
    counts = _update(tmp_path, several)
    assert read_map(tmp_path / "labs.csv")["1"]["his_code"] == "UCS | OFC"
    _update(tmp_path, _codes(("1", "UCS", "right", 9)))  # also when a month knows one of them alone
    assert _of(tmp_path, "labs") == {"1": ("", "his")}
    assert counts["labs"].unknown == 0


def test_unknown_codes_come_first_the_most_frequent_first(tmp_path: Path) -> None:
    _update(tmp_path, _codes(("a", "1", "", 5), ("b", "", "", 2), ("c", "", "", 7), ("d", "1", "", 50)))
    assert list(read_map(tmp_path / "labs.csv")) == ["c", "b", "d", "a"]


def test_file_begins_with_a_byte_order_mark_and_holds_no_formula(tmp_path: Path) -> None:
    _update(tmp_path, _codes(("=1+1", "", "@SUM(A1)", 1), ("007", "", "+66", 1)))
    _change(tmp_path, "labs", "'007", "-")
    _update(tmp_path, _codes(("=1+1", "", "@SUM(A1)", 1), ("007", "", "+66", 1)))
    raw = (tmp_path / "labs.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    cells = [cell for row in csv.reader(raw.decode("utf-8-sig").splitlines()) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == ["-"]
    assert {local: row["code"] for local, row in read_map(tmp_path / "labs.csv").items()} == {"=1+1": "", "007": "-"}


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"), min_size=1)
    .map(str.strip)
    .filter(bool)
)
def test_any_text_comes_out_of_a_map_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("map") / "labs.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([("local_code", "code"), (as_cell(text), as_cell(text))])
    assert read_map(path) == {text: {"local_code": text, "code": text}}


@pytest.mark.parametrize("text", ["099", "0", "1-2", "1E5", "1.50", "123456789012", "12345"])
def test_number_that_a_spreadsheet_would_write_otherwise_is_kept_as_text(text: str) -> None:
    assert as_cell(text) == (text if text in ("0", "12345") else f"'{text}")


def test_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "maps").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"labs\.csv cannot be written"):
        _update(tmp_path / "maps", _codes(("1", "", "", 1)))
