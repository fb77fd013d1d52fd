"""The audit proves itself: untouched it fits, whatever happened; tampered with, the first row that does not is named."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from databases import SQLITE_FIRST
from ledger_steps import ledger_of, send_due
from load_night import (
    DAY,
    holding,
    let_leases_run_out,
    make_claim,
    make_claims,
    make_issue,
    night,
    rows,
    settings_for,
    values,
)
from sqlalchemy import Connection, Engine, case, delete, func, insert, select, text, update
from test_load_crash import sending
from whole_audit import without_triggers

import load
from core.errors import ConfigurationError
from load import mismatch as says
from load.account_center import TokenSource
from load.chain import beginning, link, text_hash
from load.database import connect, open_audit
from load.delivery import Delivery
from load.ledger import Ledger
from load.mismatch import Mismatch
from load.settings import ApiSettings
from load.states import DUE, State
from load.tables import claim, claim_history, issue, metadata, run, submission, workbook_row
from load.triggers import drop_triggers
from load.verify import verify
from sandbox.process import Sandbox
from sandbox.world import Fault
from transform.claim import KINDS, payload_hash

CLAIMS = 5
TABLES = [table for table in metadata.sorted_tables if table.name != "facility_lock"]


# An audit that nobody touched.


def counted(engine: Engine) -> tuple[int, int, int]:
    with engine.connect() as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) for table in (run, submission, claim)]
    return (counts[0] or 0, counts[1] or 0, counts[2] or 0)


def assert_fits(engine: Engine) -> None:
    checked = verify(engine, "sandbox")
    assert checked.mismatch is None
    assert (checked.runs, checked.exchanges, checked.claims) == counted(engine)


def test_an_empty_audit_fits(audit: Engine):
    assert_fits(audit)
    assert counted(audit) == (0, 0, 0)


def test_an_audit_of_two_runs_and_every_kind_of_answer_fits(new_database: Callable[[], str], sandbox: Sandbox):
    engine = open_audit(new_database())
    held = [make_claim(n).vn for n in (3, 4)]
    sandbox.change(no_closing_code_visits=held)
    sandbox.misbehave(
        *(
            Fault(kind=kind, probability=0.1)
            for kind in ("429", "502_html", "reset_after", "truncated_after", "500_after")
        )
    )
    settings = settings_for(sandbox, ask_eligibility=False)
    claims = [*make_claims(30), make_claim(90, fname="ก๊อต 😀 \u2028 \\"), make_claim(91, pid="1")]
    night(engine, settings, claims)
    sandbox.misbehave()
    sandbox.change(no_closing_code_visits=[])
    night(engine, settings, [*claims, make_claim(92, "epi"), make_claim(92, "dt")])
    assert {row.state for row in rows(engine, claim)} >= {State.ACCEPTED, State.PRESUMED_ACCEPTED, State.CORRECTABLE}
    assert_fits(engine)
    engine.dispose()


def test_an_audit_fits_at_every_moment_of_a_run(sandbox: Sandbox, new_database: Callable[[], str]):
    engine = open_audit(new_database())
    seen: list[Mismatch | None] = []
    night(
        engine,
        settings_for(sandbox),
        make_claims(20),
        concurrency=2,
        on_progress=lambda _: seen.append(verify(engine, "sandbox").mismatch),
    )
    assert seen
    assert set(seen) == {None}
    engine.dispose()


@pytest.mark.slow
def test_an_audit_with_a_killed_run_fits_before_and_after_the_next(
    new_database: Callable[[], str], sandbox: Sandbox, api: ApiSettings
):
    url = new_database()
    sandbox.change(latency_ms=30)
    with sending(url, sandbox, until_taken=30) as process:
        process.kill()
    process.wait()
    engine = open_audit(url)
    assert_fits(engine)
    sandbox.change(latency_ms=0)
    let_leases_run_out(engine)
    night(engine, api, concurrency=8)
    assert [row.state for row in rows(engine, run)] != ["completed", "completed"]
    assert_fits(engine)
    engine.dispose()


def test_a_claim_left_in_doubt_without_a_recorded_exchange_fits(audit: Engine):
    """As where a sending thread hangs and is left behind."""
    with ledger_of(audit, "10953") as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim()])
        send_due(ledger, State.IN_DOUBT, possibly_accepted=True)
    assert_fits(audit)


def test_a_run_that_never_heard_of_its_last_commit_fits(audit: Engine, sandbox: Sandbox, api: ApiSettings):
    """The database went away with the answer, and came back when the run had given up."""

    with holding(audit) as held:
        ledger = Ledger(audit, held)
        ledger.intake.register(DAY, KINDS, [make_claim()])
        with Delivery(api, ledger, TokenSource(api, "10953"), 1) as delivery:
            delivery.send_chunk(1, ledger.queue.due(DUE, KINDS, DAY, DAY, 10))
            delivery.finish()
        held.chain = beginning(held.id)
    assert_fits(audit)


def test_a_run_that_has_not_ended_is_counted(audit: Engine, sandbox: Sandbox, api: ApiSettings):
    night(audit, api, make_claims(3))
    with ledger_of(audit, "10953"):
        assert (verify(audit, "sandbox").mismatch, verify(audit, "sandbox").under_way) == (None, 1)
    assert verify(audit, "sandbox").under_way == 0


def test_one_run_of_several_can_be_asked_for(audit: Engine, sandbox: Sandbox, api: ApiSettings):
    night(audit, api, make_claims(3))
    night(audit, api, make_claims(5))
    first, second = sorted(rows(audit, run), key=lambda row: row.started_at)
    with without_triggers(audit) as connection:
        connection.execute(update(submission).where(submission.c.run_id == second.id).values(outcome="final"))
    checked = verify(audit, "sandbox", first.id[:8])
    assert (checked.runs, checked.exchanges, checked.claims, checked.mismatch) == (1, 3, 0, None)
    assert verify(audit, "sandbox", second.id).mismatch == verify(audit, "sandbox").mismatch is not None
    with pytest.raises(ConfigurationError, match="no run x in"):
        verify(audit, "sandbox", "x")
    assert verify(audit, "prd").runs == 0


# An audit that somebody who owns the database has changed.


@dataclass
class Tampered:
    """A real audit, one run of `CLAIMS` exchanges in it; what is done to it is taken back."""

    engine: Engine
    run_id: str

    def claim_of(self, number: int) -> Any:
        (row,) = rows(self.engine, submission, run_id=self.run_id, number=number)
        return rows(self.engine, claim, id=row.claim_id)[0]


@pytest.fixture(scope="module")
def real_audits(database_on: Callable[[str], str], load_server: Sandbox) -> Iterator[Callable[[str], Engine]]:
    engines: dict[str, Engine] = {}

    def real(backend: str) -> Engine:
        if backend not in engines:
            load_server.reset()
            engines[backend] = engine = open_audit(database_on(backend))
            night(engine, settings_for(load_server), make_claims(CLAIMS), concurrency=1)
        return engines[backend]

    yield real
    for engine in engines.values():
        engine.dispose()


@pytest.fixture(params=SQLITE_FIRST)
def tampered(request: pytest.FixtureRequest, real_audits: Callable[[str], Engine]) -> Iterator[Tampered]:
    engine = real_audits(request.param)
    kept = {table: [values(table, row) for row in rows(engine, table)] for table in TABLES}
    yield Tampered(engine, kept[run][0]["id"])
    with without_triggers(engine) as connection:
        for table in reversed(TABLES):
            connection.execute(delete(table))
        for table, content in kept.items():
            if content:
                connection.execute(insert(table), content)


def change(number: int, /, **values: Any) -> Callable[[Connection], None]:
    return lambda connection: change_row(connection, number, **values)


def change_row(connection: Connection, number: int, /, **values: Any) -> None:
    changed = connection.execute(update(submission).where(submission.c.number == number).values(**values))
    assert changed.rowcount == 1


def remove(*numbers: int) -> Callable[[Connection], None]:
    def tamper(connection: Connection) -> None:
        assert connection.execute(delete(submission).where(submission.c.number.in_(numbers))).rowcount == len(numbers)

    return tamper


def forge(number: int) -> Callable[[Connection], None]:
    """An exchange of this number after the one before it, its own hash right; those behind it move up."""

    def tamper(connection: Connection) -> None:
        content = read(connection)
        for row in reversed(content[number - 1 :]):
            change_row(connection, row["number"], number=row["number"] + 1)
        before = content[number - 2]
        forged = content[0] | {"id": 1_000_000, "number": number, "previous_hash": before["hash"], "response": "{}"}
        forged["text_hash"] = text_hash(forged["request"], "{}", forged["message"])
        connection.execute(insert(submission).values(**forged | {"hash": link(forged)}))

    return tamper


def swap(connection: Connection) -> None:
    change_row(connection, 2, number=99)
    change_row(connection, 3, number=2)
    change_row(connection, 99, number=3)


def swap_answers(connection: Connection) -> None:
    _, second, third, *_ = read(connection)
    change_row(connection, 2, response=third["response"])
    change_row(connection, 3, response=second["response"])


def change_and_hash_anew(connection: Connection) -> None:
    row = read(connection)[2] | {"outcome": "final"}
    change_row(connection, 3, outcome="final", hash=link(row))


def write_the_rest_anew(connection: Connection) -> None:
    """All later rows as well, but not the end that stands with the run."""
    last = None
    for row in read(connection):
        row["outcome"] = "final"
        row["previous_hash"] = last or row["previous_hash"]
        last = link(row)
        change_row(connection, row["number"], outcome="final", previous_hash=row["previous_hash"], hash=last)


def read(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(submission).order_by(submission.c.number)).mappings()]


def of_run(**values: Any) -> Callable[[Connection], None]:
    return lambda connection: connection.execute(update(run).values(**values)) and None


END = says.END.fill(said=CLAIMS, found=CLAIMS)
OF_THE_CHAIN: dict[str, tuple[Callable[[Connection], None], Any, int | None]] = {
    "an answer changed": (change(3, response='{"status": 200}'), says.CHANGED, 3),
    "an answer removed": (change(CLAIMS, response=None), says.CHANGED, CLAIMS),
    "a request changed": (change(1, request="{}"), says.CHANGED, 1),
    "a moment changed": (change(2, sent_at=datetime(2026, 1, 1, tzinfo=UTC)), says.CHANGED, 2),
    "a number changed": (change(4, transaction_uid="another"), says.CHANGED, 4),
    "a claim exchanged": (change(4, claim_id=case((submission.c.claim_id == 1, 2), else_=1)), says.CHANGED, 4),
    "a hash changed": (change(4, hash="0" * 64), says.CHANGED, 4),
    "answers exchanged": (swap_answers, says.CHANGED, 2),
    "the first row removed": (remove(1), says.MISSING, 2),
    "a row in the middle removed": (remove(3), says.MISSING, 4),
    "the last row removed": (remove(CLAIMS), says.END.fill(said=CLAIMS, found=CLAIMS - 1), CLAIMS - 1),
    "all rows removed": (remove(*range(1, CLAIMS + 1)), says.END.fill(said=CLAIMS, found=0), None),
    "a row added": (forge(CLAIMS + 1), says.ADDED, CLAIMS + 1),
    "a row inserted": (forge(3), says.OUT_OF_ORDER, 4),
    "rows exchanged": (swap, says.OUT_OF_ORDER, 2),
    "a row written anew": (change_and_hash_anew, says.OUT_OF_ORDER, 4),
    "all rows written anew": (write_the_rest_anew, END, CLAIMS),
    "the end of the chain changed": (of_run(chain_hash="0" * 64), END, CLAIMS),
    "the number of exchanges changed": (of_run(exchanges=2), says.END.fill(said=2, found=CLAIMS), CLAIMS),
    "the end of the chain removed": (
        of_run(exchanges=None, chain_hash=None, state="running"),
        says.END.fill(said=0, found=CLAIMS),
        CLAIMS,
    ),
}


@pytest.mark.parametrize("how", OF_THE_CHAIN)
def test_of_exchanges_tampered_with_the_first_that_does_not_fit_is_named(tampered: Tampered, how: str):
    tamper, what, number = OF_THE_CHAIN[how]
    assert_fits(tampered.engine)
    with without_triggers(tampered.engine) as connection:
        tamper(connection)
    mismatch = verify(tampered.engine, "sandbox").mismatch
    assert mismatch is not None
    assert (mismatch.what, mismatch.run_id, mismatch.number) == (what, tampered.run_id, number)
    if number:
        (row,) = rows(tampered.engine, submission, number=number)
        assert (mismatch.vn, mismatch.kind, mismatch.at) == (tampered.claim_of(number).vn, "dm", row.sent_at)
        assert f"run {tampered.run_id}, exchange {number}, claim dm VN {mismatch.vn}, of 20" in mismatch.place.en


def of_claim(**values: Any) -> Callable[[Connection], None]:
    return lambda connection: connection.execute(update(claim).where(claim.c.vn == VN).values(**values)) and None


def of_history(after: State, /, **values: Any) -> Callable[[Connection], None]:
    where = (claim_history.c.after == after, claim_history.c.claim_id == ITS_ID)
    if values:
        return lambda connection: connection.execute(update(claim_history).where(*where).values(**values)) and None
    return lambda connection: connection.execute(delete(claim_history).where(*where)) and None


VN = make_claim(4).vn
ITS_ID = select(claim.c.id).where(claim.c.vn == VN).scalar_subquery()
OF_A_CLAIM: dict[str, tuple[Callable[[Connection], None], Any]] = {
    "its state changed": (of_claim(state=State.READY), says.STATE),
    "its last step removed": (of_history(State.ACCEPTED), says.STATE),
    "its first step removed": (of_history(State.READY), says.STEP),
    "a step between removed": (of_history(State.SENDING), says.STEP),
    "a step made one that cannot be": (of_history(State.ACCEPTED, cause="found"), says.STEP),
    "a step to nowhere": (of_history(State.ACCEPTED, after="paid"), says.STEP),
    "its transaction number changed": (of_claim(transaction_uid="another"), says.UNPROVEN),
    "its transaction number removed": (of_claim(transaction_uid=None), says.UNPROVEN),
}


@pytest.mark.parametrize("how", OF_A_CLAIM)
def test_a_claim_tampered_with_is_named(tampered: Tampered, how: str):
    tamper, what = OF_A_CLAIM[how]
    with without_triggers(tampered.engine) as connection:
        tamper(connection)
    checked = verify(tampered.engine, "sandbox")
    assert checked.mismatch is not None
    assert (checked.mismatch.what, checked.mismatch.vn, checked.mismatch.kind) == (what, VN, "dm")
    assert (checked.runs, checked.exchanges, checked.claims) == (1, CLAIMS, 3)


def test_a_claim_made_accepted_with_its_history_but_without_an_answer_is_named(tampered: Tampered):
    real = rows(tampered.engine, claim)[0]
    steps = rows(tampered.engine, claim_history, claim_id=real.id)
    with without_triggers(tampered.engine) as connection:
        payload = real.payload.replace(real.vn, "forged")
        forged = {"id": 77, "vn": "forged", "payload": payload, "payload_hash": payload_hash(payload.encode())}
        connection.execute(insert(claim).values(**values(claim, real) | forged))
        for number, step in enumerate(steps):
            new = {"id": 700 + number, "claim_id": 77}
            connection.execute(insert(claim_history).values(**dict(step._mapping) | new))
    mismatch = verify(tampered.engine, "sandbox").mismatch
    assert mismatch is not None
    assert (mismatch.what, mismatch.vn) == (says.UNPROVEN, "forged")


def test_a_claim_removed_with_its_history_is_missed_by_its_exchange(audit: Engine, sandbox: Sandbox, api: ApiSettings):
    night(audit, api, make_claims(3), concurrency=1)
    with audit.begin() as connection:
        drop_triggers(connection)
    with sqlite3.connect(audit.url.database or "") as plain:  # which holds to no foreign keys
        plain.execute("delete from claim_history where claim_id = 2")
        plain.execute("delete from claim where id = 2")
        (number,) = plain.execute("select number from submission where claim_id = 2").fetchone()
    mismatch = verify(audit, "sandbox").mismatch
    assert mismatch is not None
    assert (mismatch.what, mismatch.number, mismatch.vn) == (says.CLAIM_GONE, number, None)


# An audit of the version before the chain.


def as_of(url: str, revision: str) -> Engine:
    engine = connect(url, foreign_keys=False)
    config = Config()
    config.set_main_option("script_location", str(Path(load.__path__[0]) / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


def fill_old(engine: Engine) -> None:
    """Two runs, claims in several states, and exchanges whose order is not that of their times."""
    at = datetime(2026, 9, 21, 22, 0, 0, 123456, tzinfo=UTC)
    runs = [
        {"id": f"old-{n}", "environment": "sandbox", "hcode": "10953", "flow": "submit-claims", "parameters": "{}"}
        | {"state": state, "started_at": at + timedelta(days=n), "log_ins": 1}
        for n, state in enumerate(["completed", "running", "completed"])
    ]
    stood = [(State.ACCEPTED, "old-0"), (State.SENDING, "old-1"), (State.HELD, "old-0"), (State.READY, None)]
    stood += [(State.PRESUMED_ACCEPTED, "old-1"), (State.WITHDRAWN, None)]
    claims = []
    for number, (state, run_id) in enumerate(stood, start=1):
        made = make_claim(number, fname="สมหญิง 😀")
        claims.append(
            {"id": number, "environment": "sandbox", "hcode": made.hcode, "kind": made.kind, "vn": made.vn, "item": ""}
            | {"hn": made.hn, "pid": made.pid, "service": made.service, "service_date": DAY, "baht": made.baht}
            | {"state": state, "payload": made.payload.decode(), "payload_hash": made.payload_hash, "run_id": run_id}
            | {"possibly_accepted": state == State.SENDING, "tries": 1, "transaction_uid": f"uid-{number}"}
            | {"message": "รับแล้ว", "created_at": at, "updated_at": at + timedelta(microseconds=number)}
        )
    exchanges = [
        {"id": 10 + number, "claim_id": claim_id, "run_id": run_id, "chunk": 1, "attempt": 1, "call": "submit"}
        | {"path": "/api", "sent_at": at - timedelta(seconds=number), "answered_at": at, "duration_ms": 7}
        | {"payload_hash": "x", "request": '{"fname": "สมหญิง 😀"}', "outcome": "accepted", "message": "สำเร็จ ๆ"}
        | ({"http_status": 200, "response": '{"message": "สำเร็จ\\n"}', "transaction_uid": f"uid-{claim_id}"})
        | ({"failure": None} if claim_id != 5 else {"failure": "ReadTimeout", "http_status": None, "response": None})
        for number, (claim_id, run_id) in enumerate([(1, "old-0"), (5, "old-1"), (3, "old-0"), (5, "old-1")])
    ]
    with engine.begin() as connection:
        for name, content in (("run", runs), ("claim", claims), ("submission", exchanges)):
            for row in content:
                connection.execute(insert(metadata.tables[name]).values(**row))


def test_an_audit_from_before_the_chain_is_chained_as_it_is_opened(
    new_database: Callable[[], str], sandbox: Sandbox, api: ApiSettings
):
    url = new_database()
    old = as_of(url, "0001")
    fill_old(old)
    old.dispose()
    engine = open_audit(url)
    assert_fits(engine)
    assert [(r.run_id, r.number) for r in rows(engine, submission)] == [
        ("old-0", 1),
        ("old-1", 1),
        ("old-0", 2),
        ("old-1", 2),
    ]
    assert rows(engine, submission)[0].previous_hash == beginning("old-0").hash
    night(engine, api, make_claims(3))
    assert_fits(engine)
    with without_triggers(engine) as connection:
        connection.execute(update(submission).where(submission.c.id == 12).values(message="สำเร็จ"))
    mismatch = verify(engine, "sandbox").mismatch
    assert mismatch is not None
    assert (mismatch.what, mismatch.run_id, mismatch.number) == (says.CHANGED, "old-0", 2)
    engine.dispose()


# An audit of the version before workbooks.


def test_an_audit_from_before_workbooks_is_of_the_his_and_goes_on(
    new_database: Callable[[], str], sandbox: Sandbox, api: ApiSettings
):
    url = new_database()
    old = as_of(url, "0001")
    fill_old(old)
    old.dispose()
    old = as_of(url, "0002")
    with old.begin() as connection:
        seen = {"first_seen_at": datetime.now(UTC), "seen_at": datetime.now(UTC), "first_run_id": "old-0"}
        connection.execute(insert(issue).values(**seen, **of_issue(), run_id="old-0", environment="sandbox"))
    columns = ("id", "vn", "state", "payload", "payload_hash", "transaction_uid", "updated_at")
    kept = select(*(claim.c[name] for name in columns)).order_by(claim.c.id)
    with old.connect() as connection:
        before = connection.execute(kept).all()
    old.dispose()
    engine = open_audit(url)
    with engine.connect() as connection:
        assert connection.execute(kept).all() == before
    stand = [(row.origin, row.record) for table in (claim, issue) for row in rows(engine, table)]
    assert stand == [("his", None)] * (len(before) + 1)
    assert rows(engine, workbook_row) == []
    assert_fits(engine)
    night(engine, api, make_claims(4))
    assert [row.state for row in rows(engine, claim)][2:4] == [State.ACCEPTED] * 2
    assert_fits(engine)
    engine.dispose()


def of_issue() -> dict[str, Any]:
    made = make_issue()
    of_issue = {name: getattr(made, name) for name in ("hcode", "kind", "vn", "item", "rule", "severity", "hn")}
    return of_issue | {"service_date": DAY, "field": made.column, "message_th": "–", "message_en": "–"}


def test_a_migration_to_workbooks_that_was_killed_is_done_to_its_end(database_on: Callable[[str], str]):
    """On MariaDB, where each step of it stays done."""
    url = database_on("mariadb")
    as_of(url, "0003").dispose()
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(text("drop trigger workbook_row_no_delete"))
        connection.execute(text("drop index ix_workbook_row_file_hash on workbook_row"))
        connection.execute(text("alter table issue drop column record"))
        connection.execute(text("update alembic_version set version_num = '0002'"))
    engine.dispose()
    engine = open_audit(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        triggers = connection.scalars(
            text("select trigger_name from information_schema.triggers where trigger_schema = database()")
        )
        assert {"workbook_row_no_delete", "workbook_row_no_update"} <= set(triggers)
    engine.dispose()
