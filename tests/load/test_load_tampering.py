"""Whatever is changed in an audit past its triggers, `audit verify` finds; or it is on the list of what it does not prove."""

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from databases import SQLITE_FIRST
from load_night import make_claim, rows, values
from sqlalchemy import Column, Connection, Engine, Table, delete, insert, select, text, update
from whole_audit import fill, without_triggers

from load import mismatch as says
from load.audit_copy import copy_audit, reading_copy
from load.audit_ends import first_claim_unlike, first_missing_end, read_ends
from load.columns import Instant
from load.database import connect, open_audit
from load.seals import seal_run
from load.states import State
from load.tables import (
    access,
    claim,
    claim_history,
    facility_lock,
    issue,
    metadata,
    run,
    seal,
    sealed_row,
    submission,
    workbook_row,
)
from load.triggers import drop_triggers
from load.verify import verify
from sandbox.process import Sandbox
from transform.claim import payload_hash

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"
TABLES = [table for table in metadata.sorted_tables if table.name != "facility_lock"]


def unproven() -> set[str]:
    """The columns that docs/audit.md says are not proven."""
    section = DOCS.read_text().split("### Columns that are not proven")[1].split("\n#")[0]
    return set(re.findall(r"`(\w+\.\w+)`", section))


@pytest.fixture
def whole(whole_file: Path, tmp_path: Path) -> Iterator[Engine]:
    engine = open_audit(f"sqlite:///{shutil.copy(whole_file, tmp_path)}")
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
        return {int: 7, bool: True}.get(column.type.python_type, "x")
    return {"sandbox": "uat", "his": "workbook", "completed": "failed"}.get(
        value, value[:-1] + ("y" if value[-1:] != "y" else "z")
    )


# What was done to real audits.


def in_run(connection: Connection, **values: Any) -> None:
    connection.execute(update(run).where(run.c.flow == "import-workbook").values(**values))


def move_to_another_person(connection: Connection) -> None:
    payload = connection.scalar(select(claim.c.payload).where(claim.c.id == 1)) or ""
    person = re.findall(r'"pid":"(\d+)"', payload)[0]
    changed = payload.replace(person, "1999999999994")
    values = {"payload": changed, "payload_hash": payload_hash(changed.encode()), "pid": "1999999999994"}
    connection.execute(update(claim).where(claim.c.id == 1).values(**values))


def make_accepted_final(connection: Connection) -> None:
    """History and all."""
    connection.execute(update(claim).where(claim.c.id == 1).values(state=State.FINAL))
    connection.execute(
        update(claim_history)
        .where(claim_history.c.claim_id == 1, claim_history.c.after == State.ACCEPTED)
        .values(after=State.FINAL)
    )


def forge_history(connection: Connection) -> None:
    """A person's decision that nobody took, with the state it leads to."""
    held = connection.execute(select(claim).where(claim.c.state == State.HELD)).first()
    assert held is not None
    step = {"claim_id": held.id, "at": held.updated_at, "before": State.HELD, "after": State.GIVEN_UP}
    step |= {"cause": "window_over", "run_id": held.changed_by, "payload_hash": held.payload_hash}
    connection.execute(insert(claim_history).values(**step))
    connection.execute(update(claim).where(claim.c.id == held.id).values(state=State.GIVEN_UP, cause="window_over"))


def insert_claim(connection: Connection) -> None:
    row = dict(connection.execute(select(claim).where(claim.c.state == State.HELD)).mappings().one())
    row = {c.key: row[c.name if c.name in row else c.key] for c in claim.c} | {"id": 99, "vn": "forged"}
    row["payload"] = row["payload"].replace(make_claim(3).vn, "forged")
    row |= {"payload_hash": payload_hash(row["payload"].encode()), "state": State.READY, "written_by": None}
    connection.execute(insert(claim).values(**row))
    step = {"claim_id": 99, "at": row["updated_at"], "after": State.READY, "cause": "found"}
    connection.execute(insert(claim_history).values(**step, payload_hash=row["payload_hash"]))


def remove_a_run(connection: Connection) -> None:
    """With all that it has written."""
    of = connection.scalar(select(run.c.id).where(run.c.flow == "import-workbook"))
    mine = select(seal.c.id).where(seal.c.run_id == of)
    connection.execute(delete(sealed_row).where(sealed_row.c.seal_id.in_(mine)))
    for table, column in ((workbook_row, "run_id"), (issue, "first_run_id"), (seal, "run_id"), (run, "id")):
        connection.execute(delete(table).where(table.c[column] == of))


def excuse_by_a_lock(connection: Connection) -> None:
    """What a run under way writes has no seal yet; a forged lock makes no run of its name."""
    lock = {
        "environment": "sandbox",
        "hcode": "99999",
        "run_id": "a-run",
        "expires_at": datetime(2099, 1, 1, tzinfo=UTC),
    }
    connection.execute(insert(facility_lock).values(lock))
    connection.execute(update(claim).where(claim.c.id == 1).values(baht=9000, written_by="a-run"))


def unseal_behind_a_lock(connection: Connection) -> None:
    """The last run, its counts changed, its seal removed, its facility held by it again."""
    last = connection.execute(select(run).order_by(run.c.started_at.desc()).limit(1)).one()
    lock = {
        "environment": "sandbox",
        "hcode": last.hcode,
        "run_id": last.id,
        "expires_at": datetime(2099, 1, 1, tzinfo=UTC),
    }
    connection.execute(insert(facility_lock).values(lock))
    mine = select(seal.c.id).where(seal.c.run_id == last.id)
    connection.execute(delete(sealed_row).where(sealed_row.c.seal_id.in_(mine)))
    connection.execute(delete(seal).where(seal.c.run_id == last.id))
    connection.execute(update(run).where(run.c.id == last.id).values(counts="{}"))


def forge_history_of_no_run(connection: Connection) -> None:
    """A sending that never was; the claim stands as it stood."""
    held = connection.execute(select(claim).where(claim.c.state == State.HELD)).first()
    assert held is not None
    of_claim = {"claim_id": held.id, "at": held.updated_at, "payload_hash": held.payload_hash}
    sent = {"before": State.HELD, "after": State.SENDING, "cause": "intent"}
    back = {"before": State.SENDING, "after": State.HELD, "cause": "unsent"}
    connection.execute(insert(claim_history), [of_claim | sent, of_claim | back])


def empty_bodies(connection: Connection) -> None:
    """As the triggers let through what an erasure does."""
    gone = {"request": None, "response": None, "message": None}
    connection.execute(update(submission).where(submission.c.claim_id == 1).values(**gone, erased_by="a-run"))


KINDS_OF_TAMPERING: dict[str, tuple[Callable[[Connection], Any], Any]] = {
    "amounts multiplied": (lambda c: c.execute(update(claim).values(baht=claim.c.baht * 10)), says.ROW),
    "a payload changed": (lambda c: c.execute(update(claim).where(claim.c.id == 1).values(payload="{}")), says.PAYLOAD),
    "a person changed": (
        lambda c: c.execute(update(claim).where(claim.c.id == 1).values(pid="1999999999994")),
        says.COLUMNS.fill(names="pid"),
    ),
    "a person changed with the payload and its hash": (move_to_another_person, says.BODY_GONE),
    "a day changed": (
        lambda c: c.execute(update(claim).where(claim.c.id == 1).values(service_date=date(2026, 1, 1))),
        says.COLUMNS.fill(names="service_date"),
    ),
    "accepted made final": (make_accepted_final, says.NOT_AS_ANSWERED),
    "history forged": (forge_history, says.HISTORY),
    "history removed whole": (lambda c: c.execute(delete(claim_history)), says.STATE),
    "a run's times changed": (lambda c: in_run(c, started_at=datetime(2026, 1, 1, tzinfo=UTC)), says.RUN_CHANGED),
    "a run's counts changed": (lambda c: in_run(c, counts='{"accepted": 9}'), says.RUN_CHANGED),
    "a run made one under way": (lambda c: in_run(c, state="running", ended_at=None), says.RUN_CHANGED),
    "issues deleted": (lambda c: c.execute(delete(issue)), says.ROW_GONE),
    "issues resolved": (
        lambda c: c.execute(update(issue).values(resolved_at=datetime(2026, 1, 1, tzinfo=UTC))),
        says.ISSUE_ROW,
    ),
    "a claim inserted": (insert_claim, says.ROW),
    "rows of a workbook deleted": (lambda c: c.execute(delete(workbook_row)), says.WORKBOOK_ROWS),
    "seals deleted": (lambda c: c.execute(delete(sealed_row)) and c.execute(delete(seal)), says.NO_SEAL),
    "a run deleted with all it wrote": (remove_a_run, says.SEAL_MISSING),
    "accesses deleted": (lambda c: c.execute(delete(access)), says.ACCESS),
    "bodies emptied": (empty_bodies, says.NOT_ERASED),
    "an amount excused by a lock": (excuse_by_a_lock, says.ROW),
    "the last seal removed behind a lock": (unseal_behind_a_lock, says.NO_SEAL),
    "history forged of no run": (forge_history_of_no_run, says.HISTORY),
}


@pytest.fixture(scope="module")
def whole_audits(
    database_on: Callable[[str], str], load_server: Sandbox, whole_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Engine]]:
    engines: dict[str, Engine] = {}

    def make(backend: str) -> Engine:
        if backend == "sqlite" and backend not in engines:
            file = shutil.copy(whole_file, tmp_path_factory.mktemp("tampered"))
            engines[backend] = open_audit(f"sqlite:///{file}")
        elif backend not in engines:
            load_server.reset()
            engines[backend] = open_audit(database_on(backend))
            fill(engines[backend], load_server)
        return engines[backend]

    yield make
    for engine in engines.values():
        engine.dispose()


@pytest.fixture(params=SQLITE_FIRST)
def each_whole(request: pytest.FixtureRequest, whole_audits: Callable[[str], Engine]) -> Iterator[Engine]:
    """One on each database; what is done to it is taken back."""
    engine = whole_audits(request.param)
    kept = {table: [values(table, row) for row in rows(engine, table)] for table in TABLES}
    yield engine
    with without_triggers(engine) as connection:
        connection.execute(delete(facility_lock))
        for table in reversed(TABLES):
            connection.execute(delete(table))
        for table, content in kept.items():
            if content:
                connection.execute(insert(table), content)


@pytest.mark.parametrize("how", KINDS_OF_TAMPERING)
def test_an_audit_tampered_with_is_found_out_though_its_triggers_are_there_again(each_whole: Engine, how: str):
    tamper, what = KINDS_OF_TAMPERING[how]
    with without_triggers(each_whole) as connection:
        tamper(connection)
    mismatch = verify(each_whole, "sandbox").mismatch
    assert mismatch is not None
    assert mismatch.what.en.startswith(what.en.split("{")[0])


def test_an_audit_that_was_tampered_with_and_put_back_fits(each_whole: Engine):
    assert verify(each_whole, "sandbox").mismatch is None


def drop_one(connection: Connection) -> None:
    on = " on claim" if connection.dialect.name == "postgresql" else ""
    connection.execute(text(f"drop trigger claim_moved{on}"))


def weaken_one(connection: Connection) -> None:
    """The same name, and it does nothing."""
    if connection.dialect.name == "postgresql":
        nothing = "begin return new; end"
        connection.execute(
            text(
                f"create or replace function moph_claim_claim_moved() returns trigger language plpgsql as $${nothing}$$"
            )
        )
        return
    drop_one(connection)
    body = {"sqlite": "begin select 1; end"}.get(connection.dialect.name, "for each row set @nothing = 1")
    connection.execute(text(f"create trigger claim_moved after update on claim {body}"))


def add_one(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                "create trigger extra before update on claim for each row execute function "
                "suppress_redundant_updates_trigger()"
            )
        )
        return
    body = {"sqlite": "begin select 1; end"}.get(connection.dialect.name, "for each row set @nothing = 1")
    connection.execute(text(f"create trigger extra before update on claim {body}"))


@pytest.mark.parametrize(
    ("change", "name"), [(drop_one, "claim_moved"), (weaken_one, "claim_moved"), (add_one, "extra")]
)
def test_a_trigger_dropped_weakened_or_added_is_named(
    each_whole: Engine, change: Callable[[Connection], None], name: str
):
    with each_whole.begin() as connection:
        change(connection)
    mismatch = verify(each_whole, "sandbox").mismatch
    with each_whole.begin() as connection:
        on = " on claim" if connection.dialect.name == "postgresql" else ""
        connection.execute(text(f"drop trigger if exists extra{on}"))
    assert mismatch is not None
    assert f"trigger {name}" in mismatch.what.en


@pytest.mark.slow
def test_a_trigger_that_postgresql_has_switched_off_is_named(whole_audits: Callable[[str], Engine]):
    engine = whole_audits("postgresql")
    with engine.begin() as connection:
        connection.execute(text("alter table submission disable trigger submission_no_update"))
    mismatch = verify(engine, "sandbox").mismatch
    with engine.begin() as connection:
        connection.execute(text("alter table submission enable trigger submission_no_update"))
    assert mismatch is not None
    assert mismatch.what == says.TRIGGER.fill(name="submission_no_update")


def test_an_amount_with_a_seal_appended_for_it_is_found_by_a_copy(whole: Engine, tmp_path: Path):
    """As docs/audit.md says, the audit alone does not show it."""
    copy = tmp_path / "copy"
    copy_audit(Path(whole.url.database or ""), copy)
    with whole.begin() as connection:
        last = connection.scalar(select(seal.c.run_id).order_by(seal.c.number.desc()).limit(1))
        connection.execute(update(claim).where(claim.c.id == 1).values(baht=9000, written_by=last))
        seal_run(connection, last or "")
    assert verify(whole, "sandbox").mismatch is None
    with whole.connect() as connection, reading_copy(copy) as of_then:
        assert first_missing_end(connection, read_ends(copy)) is None
        assert first_claim_unlike(of_then, of_then, "sandbox") is None
        unlike = first_claim_unlike(connection, of_then, "sandbox")
    assert unlike is not None
    assert "VN 690000000001 of facility 10953 was accepted when the copy was made" in unlike.en


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "undo", "name"),
    [
        ("create rule deaf as on update to claim do instead nothing", "drop rule deaf on claim", "rule deaf"),
        ("create policy own on claim using (false)", "drop policy own on claim", "policy own"),
        (
            "alter table issue enable row level security",
            "alter table issue disable row level security",
            "row level security of issue",
        ),
        (
            "alter function moph_claim_claim_moved() set search_path = elsewhere",
            "alter function moph_claim_claim_moved() reset all",
            "the trigger claim_moved",
        ),
        (
            "do $$ begin execute format('alter database %I set session_replication_role = replica', current_database()); end $$",
            "do $$ begin execute format('alter database %I reset session_replication_role', current_database()); end $$",
            "session_replication_role = replica",
        ),
    ],
)
def test_what_keeps_postgresqls_triggers_from_acting_is_named(
    whole_audits: Callable[[str], Engine], change: str, undo: str, name: str
):
    engine = whole_audits("postgresql")
    with engine.begin() as connection:
        connection.execute(text(change))
    engine.dispose()  # settings are read by new sessions
    mismatch = verify(engine, "sandbox").mismatch
    with engine.begin() as connection:
        connection.execute(text(undo))
    engine.dispose()
    assert mismatch is not None
    assert name in mismatch.what.en


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["mariadb", "postgresql"])
def test_a_constraint_that_was_dropped_or_weakened_is_named(whole_audits: Callable[[str], Engine], backend: str):
    engine = whole_audits(backend)
    statements = {"claim_state": "state in ({})".format(", ".join(f"'{s}'" for s in State)), "uq_claim_key": ""}
    for name in statements:
        kind = "check" if name == "claim_state" else "unique"
        with engine.begin() as connection:
            drop = f"drop index {name}" if (backend, kind) == ("mariadb", "unique") else f"drop constraint {name}"
            connection.execute(text(f"alter table claim {drop}"))
            if kind == "check":
                weaker = statements[name] + " or baht > 0"
                connection.execute(text(f"alter table claim add constraint {name} check ({weaker})"))
        mismatch = verify(engine, "sandbox").mismatch
        with engine.begin() as connection:
            if kind == "check":
                connection.execute(text(f"alter table claim drop constraint {name}"))
                connection.execute(text(f"alter table claim add constraint {name} check ({statements[name]})"))
            else:
                connection.execute(
                    text(f"alter table claim add constraint {name} unique (environment, hcode, kind, vn, item)")
                )
        assert mismatch is not None
        assert mismatch.what == says.CONSTRAINT.fill(name=name, table="claim")
    assert verify(engine, "sandbox").mismatch is None


def test_no_trigger_reads_a_whole_table_for_each_row_that_is_inserted(whole: Engine):
    """SQLite's; the night was twice as long for it."""
    plans = []
    with whole.connect() as connection:
        for sql in connection.scalars(text("select sql from sqlite_master where name like '%_no_replace'")):
            condition = re.findall(r"exists \((.*)\) begin", sql)[0].replace("new.", ":")
            names = dict.fromkeys(re.findall(r":(\w+)", condition), 1)
            plans += [row[3] for row in connection.execute(text(f"explain query plan {condition}"), names)]
    assert len(plans) >= 8
    assert [plan for plan in plans if plan.startswith("SCAN")] == []


# Column by column.


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
