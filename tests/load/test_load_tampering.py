"""Whatever is changed in an audit past its triggers, `audit verify` finds; or it is on the list of what it does not prove."""

import re
import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Table, select, text, update
from whole_audit import fill

from load.columns import Instant
from load.database import connect, open_audit
from load.tables import metadata
from load.triggers import drop_triggers
from load.verify import verify
from sandbox.process import Sandbox

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"
TABLES = [table for table in metadata.sorted_tables if table.name != "facility_lock"]


def unproven() -> set[str]:
    """The columns that docs/audit.md says are not proven."""
    section = DOCS.read_text().split("### Columns that are not proven")[1].split("\n#")[0]
    return set(re.findall(r"`(\w+\.\w+)`", section))


@pytest.fixture(scope="module")
def filled(load_server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("whole") / "audit.sqlite"
    load_server.reset()
    engine = open_audit(f"sqlite:///{file}")
    fill(engine, load_server)
    engine.dispose()
    return file


@pytest.fixture
def whole(filled: Path, tmp_path: Path) -> Iterator[Engine]:
    engine = open_audit(f"sqlite:///{shutil.copy(filled, tmp_path)}")
    assert verify(engine, "sandbox").mismatch is None
    yield engine
    engine.dispose()


def other(value: Any, column: Column[Any]) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1000
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, date):
        return value + timedelta(days=1)
    if value is None:
        if isinstance(column.type, Instant):
            return datetime.now().astimezone()
        return 7 if column.type.python_type is int else "x"
    return {"sandbox": "uat", "his": "workbook", "completed": "failed"}.get(
        value, value[:-1] + ("y" if value[-1:] != "y" else "z")
    )


def test_every_column_of_every_table_is_proven_or_on_the_list_of_those_that_are_not(whole: Engine):
    url = whole.url.render_as_string()
    engine = connect(url, foreign_keys=False)
    with engine.begin() as connection:
        drop_triggers(connection)
        connection.execute(text("pragma ignore_check_constraints = on"))
    missed = {f"facility_lock.{c.name}" for c in metadata.tables["facility_lock"].c}
    for table in TABLES:
        key = list(table.primary_key.columns)
        with engine.connect() as connection:
            row = connection.execute(select(table).order_by(*key)).first()
        assert row is not None, table.name
        for column in table.c:
            changed = other(row._mapping[column], column)
            if not is_found(engine, table, row, column, changed):
                missed.add(f"{table.name}.{column.name}")
    assert missed == unproven()
    engine.dispose()


def is_found(engine: Engine, table: Table, row: Any, column: Column[Any], changed: Any) -> bool:
    def where(values: dict[Any, Any]) -> Any:
        return [c == values.get(c, row._mapping[c]) for c in table.primary_key.columns]

    with engine.begin() as connection:
        connection.execute(text("pragma ignore_check_constraints = on"))
        assert connection.execute(update(table).where(*where({})).values({column: changed})).rowcount == 1
    mismatch = verify(engine, "sandbox").mismatch
    with engine.begin() as connection:
        now_there = {column: changed} if column.primary_key else {}
        connection.execute(update(table).where(*where(now_there)).values({column: row._mapping[column]}))
    assert mismatch is not None  # the triggers are gone at any rate
    return "trigger" not in mismatch.what.en
