"""The audit database goes away in mid-run and comes back: the run rides it out, nothing is lost or written twice."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from load_night import DAY, holding, make_claim, make_claims, night, rows, standing
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from load.batch import Batch
from load.chain import beginning, link
from load.database import open_audit
from load.errors import AuditAway
from load.ledger import Ledger
from load.settings import ApiSettings
from load.states import DUE, State
from load.tables import claim, claim_history, facility_lock, run, submission
from load.transactions import within
from sandbox.process import Sandbox
from transform.claim import KINDS

CLAIMS = 60
BREAK_ALL = {
    "postgresql": "select pg_terminate_backend(pid) from pg_stat_activity where datname = :name and pid <> pg_backend_pid()",
    "mysql": "select concat('kill ', id) from information_schema.processlist where db = :name and id <> connection_id()",
}


def break_all_connections(url: str) -> None:
    """As an administrator does who restarts the database: every connection to it is cut."""
    audit = sa.make_url(url)
    elsewhere = audit.set(database="postgres" if audit.get_backend_name() == "postgresql" else None)
    engine = sa.create_engine(elsewhere, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        said = (
            connection.execute(sa.text(BREAK_ALL[audit.get_backend_name()]), {"name": audit.database}).scalars().all()
        )
        for statement in said if audit.get_backend_name() == "mysql" else ():
            try:
                connection.exec_driver_sql(statement)
            except OperationalError:  # gone by itself meanwhile
                continue


@pytest.fixture(params=["mariadb", "postgresql"])
def server_audit(request: pytest.FixtureRequest, database_on: Callable[[str], str]) -> Iterator[Engine]:
    """An audit on a server, whose run has patience."""
    engine = open_audit(database_on(request.param), patience_seconds=30)
    yield engine
    engine.dispose()


def test_a_run_rides_out_a_restart_of_the_audits_server(server_audit: Engine, sandbox: Sandbox, api: ApiSettings):
    url = server_audit.url.render_as_string(hide_password=False)
    cuts = iter((5, 20, 21, 40))
    at = next(cuts)

    def cut(counts: object) -> None:
        nonlocal at
        if counts.total() >= at:
            at = next(cuts, CLAIMS + 1)
            break_all_connections(url)

    ended = night(server_audit, api, make_claims(CLAIMS), on_progress=cut)
    assert at == CLAIMS + 1
    assert ended == {State.ACCEPTED: CLAIMS}
    assert standing(server_audit) == {State.ACCEPTED: CLAIMS}
    assert sandbox.stats()["received"] == sandbox.stats()["accepted_keys"] == CLAIMS
    assert_chained(server_audit, CLAIMS)


def assert_chained(engine: Engine, exchanges: int) -> None:
    """The one run's submissions form a chain without a gap, and its end stands with the run."""
    last = beginning(rows(engine, run)[0].id).hash
    links = sorted(rows(engine, submission), key=lambda row: row.number)
    for number, row in enumerate(links, start=1):
        assert (row.number, row.previous_hash, row.hash) == (number, last, link(row._mapping))
        last = row.hash
    assert (rows(engine, run)[0].exchanges, rows(engine, run)[0].chain_hash) == (exchanges, last)
    assert len(links) == exchanges


def test_a_commit_whose_answer_is_lost_is_not_done_twice(server_audit: Engine, sandbox: Sandbox, api: ApiSettings):
    cuts = iter((3, 10, 11, 30))
    at = next(cuts)
    lost: list[int] = []
    dialect = server_audit.dialect
    answered = dialect.do_commit

    def lose_the_next(counts: object) -> None:
        nonlocal at
        if counts.total() >= at:
            at = next(cuts, CLAIMS + 1)
            dialect.do_commit = commit_in_silence

    def commit_in_silence(connection: object) -> None:
        answered(connection)
        dialect.do_commit = answered
        lost.append(1)
        raise dialect.loaded_dbapi.OperationalError(2013, "lost in the test")

    night(server_audit, api, make_claims(CLAIMS), on_progress=lose_the_next)
    assert len(lost) == 4
    assert standing(server_audit) == {State.ACCEPTED: CLAIMS}
    assert {row.tries for row in rows(server_audit, claim)} == {1}
    assert sandbox.stats()["received"] == CLAIMS
    assert_chained(server_audit, CLAIMS)
    assert len(rows(server_audit, claim_history)) == 3 * CLAIMS


def test_an_intent_done_twice_counts_one_try_and_what_is_not_due_any_more_is_not_sent(each_audit: Engine, hcode: str):
    with holding(each_audit, hcode=hcode) as held:
        ledger = Ledger(each_audit, held)
        ledger.intake.register(DAY, KINDS, [make_claim(1, hcode=hcode), make_claim(2, hcode=hcode)])
        due = ledger.queue.due(DUE, KINDS, DAY, DAY, 10)
        ledger.writer.write(Batch(intents=due))
        ledger.writer.write(Batch(intents=due))
        assert {row.tries for row in rows(each_audit, claim, hcode=hcode)} == {1}
        ledger.writer.write(Batch(unsent=due))
        ledger.intake.register(DAY, KINDS, [make_claim(1, hcode=hcode)])
        assert ledger.writer.write(Batch(intents=due)) == due[:1]
        assert sorted(row.state for row in rows(each_audit, claim, hcode=hcode)) == ["sending", "withdrawn"]


def test_a_lock_that_is_waited_for_in_vain_is_waited_for_again(server_audit: Engine, hcode: str):
    """A machine that was cut off holds its locks until the server misses it."""
    lock_wait = {"postgresql": "set lock_timeout = '100ms'", "mysql": "set innodb_lock_wait_timeout = 1"}
    held = facility_lock.c.hcode == hcode
    tried = 0
    with holding(server_audit, hcode=hcode), server_audit.connect() as cut_off:
        cut_off.execute(sa.update(facility_lock).where(held).values(run_id="cut off"))

        def work(connection: sa.Connection) -> int:
            nonlocal tried
            tried += 1
            if tried > 2:
                cut_off.rollback()
            connection.exec_driver_sql(lock_wait[server_audit.dialect.name])
            return connection.execute(
                sa.update(facility_lock).where(held).values(run_id=facility_lock.c.run_id)
            ).rowcount

        assert within(server_audit, work) == 1
    assert tried == 3


def test_a_server_forgets_a_run_that_was_cut_off_in_mid_transaction(server_audit: Engine):
    """Its locks would keep every later run waiting."""
    seconds = {
        "postgresql": "select setting::int / 1000 from pg_settings where name = 'idle_in_transaction_session_timeout'",
        "mysql": "select @@session.idle_transaction_timeout",
    }
    with server_audit.connect() as connection:
        assert connection.exec_driver_sql(seconds[server_audit.dialect.name]).scalar_one() == 15


def test_a_connection_cut_off_after_its_transaction_logs_no_traceback(
    server_audit: Engine, caplog: pytest.LogCaptureFixture
):
    with server_audit.connect() as connection:
        connection.exec_driver_sql("select 1")
        connection.rollback()
        break_all_connections(server_audit.url.render_as_string(hide_password=False))
    assert [record.getMessage() for record in caplog.records if record.name.startswith("sqlalchemy")] == []


def test_without_patience_an_audit_that_is_away_is_said_at_once(server_audit: Engine):
    url = server_audit.url.render_as_string(hide_password=False)
    hasty = open_audit(url)
    with holding(hasty) as held:
        ledger = Ledger(hasty, held)
        ledger.intake.register(DAY, KINDS, [make_claim(1)])
        hasty.pool.dispose()
        with hasty.connect():
            break_all_connections(url)
        with pytest.raises(AuditAway) as error:
            for _ in range(3):
                ledger.queue.due(DUE, KINDS, DAY, DAY, 10)
                break_all_connections(url)
    assert "cannot be used" in error.value.message.en
    hasty.dispose()
