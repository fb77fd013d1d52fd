"""A new HIS's folder: complete, valid, in words; and never over what is there."""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from small_hospital import settings_for

from core.errors import ConfigurationError
from core.messages import Language
from extract import statements
from extract.contract import TABLES
from extract.meanings import columns, meanings
from extract.reader import HELPER_COLUMNS, open_reader
from extract.scaffold import FILES, OF_PERSONS, scaffold
from extract.statements import PARAMETERS


@pytest.mark.parametrize("table", TABLES)
def test_every_column_has_a_meaning_in_both_languages(table: str) -> None:
    said = meanings(table)  # type: ignore[arg-type]
    assert list(said) and set(said) == {*TABLES[table], *HELPER_COLUMNS[table]}  # type: ignore[index]
    assert all(message.th and message.en for message in said.values())


def test_every_parameter_and_function_has_a_meaning() -> None:
    assert set(meanings("parameter")) == set(PARAMETERS)
    names = {name.partition("(")[0] for name in meanings("function")}
    assert names == {"has", "indexed", "wanted", "reviewed", "by_visit", "quoted"}
    assert names <= set(inspect.signature(statements.Statements.statement).parameters)


@pytest.mark.parametrize("language", ["th", "en"])
def test_folder_holds_every_column_and_parameter_with_its_meaning(tmp_path: Path, language: Language) -> None:
    scaffold("clinic", tmp_path / "clinic", language)
    text = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "clinic").iterdir()}
    assert set(text) == set(FILES)
    for table in TABLES:
        for column in columns(table):
            assert f"{column.meaning.say(language)} #}}\n    NULL AS {column.name}" in text[f"{table}.sql"]
    sql = "".join(text[f"{table}.sql"] for table in TABLES)
    for name, message in meanings("parameter").items():
        if name in OF_PERSONS:
            continue
        assert f":{name} " in sql
        assert message.say(language) in sql


def test_laid_out_statements_run_on_every_server_and_give_the_agreed_columns(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    from small_hospital import ALL, DAY

    from extract.check import check_day
    from sandbox.his.database import new_hospital  # an empty file is no SQLite database yet
    from sandbox.his.hosxp.tables import hosxp_tables

    url = new_database()
    with new_hospital(url, hosxp_tables()):
        pass
    scaffold("clinic", tmp_path / "clinic", "en")
    settings = settings_for(url, kind="clinic", sql_folder=tmp_path / "clinic")
    with open_reader(settings) as reader:
        checked = check_day(reader, DAY, ALL)
    assert [table.fault for table in checked.tables] == [None] * 4
    assert [violation for table in checked.tables for violation in table.violations] == []


def test_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "clinic").mkdir()
    (tmp_path / "clinic" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty: nothing was written"):
        scaffold("clinic", tmp_path / "clinic", "en")
    assert [path.name for path in (tmp_path / "clinic").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["hosxp", "jhcis", "My HIS", "../x", ""])
def test_name_that_cannot_be_a_kind_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        scaffold(name, tmp_path / "clinic", "en")
    assert not (tmp_path / "clinic").exists()
