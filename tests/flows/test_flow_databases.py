"""One hospital in three databases: the same claims byte for byte; and a database that goes away in the middle."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from night_shift import FIRST_DAY, LAST_DAY, Night, Site, Trial

from sandbox.process import Sandbox

pytestmark = pytest.mark.xdist_group("flow_databases")

SERVERS = ("mariadb", "postgresql")
CUT_OFF = {
    "mariadb": "select concat('kill ', id) from information_schema.processlist where db = :name and id <> connection_id()",
    "postgresql": "select 'select pg_terminate_backend(' || pid || ')' from pg_stat_activity "
    "where datname = :name and pid <> pg_backend_pid()",
}
LOST = (
    r"The connection to the hospital database \(.+\) was lost while reading \w+\.sql: nothing is lost, run it again\."
)


@pytest.mark.parametrize("backend", SERVERS)
def test_same_claims_byte_for_byte_as_from_sqlite(night_on: Callable[[str], Night], backend: str) -> None:
    ours, sqlite = night_on(backend), night_on("sqlite")
    assert ours.ended.state == sqlite.ended.state == "Completed"
    assert len(sqlite.accepted) > 60
    assert ours.accepted == sqlite.accepted
    assert ours.claims == sqlite.claims


@pytest.mark.parametrize("backend", SERVERS)
def test_same_issues_as_from_sqlite(night_on: Callable[[str], Night], backend: str) -> None:
    issues = night_on(backend).issues
    assert issues == night_on("sqlite").issues
    assert len(issues) > 30


def test_every_faultless_record_is_accepted_once(night_on: Callable[[str], Night]) -> None:
    night = night_on("sqlite")
    trapped = {vn for vns in night.hospital.traps.values() for vn in vns}
    kinds = Counter(kind for _, kind, vn, _ in night.accepted if vn not in trapped)
    assert kinds == night.hospital.claims


@pytest.mark.parametrize(
    "backend", [SERVERS[0], *(pytest.param(server, marks=pytest.mark.slow) for server in SERVERS[1:])]
)
def test_days_read_before_the_his_went_away_are_sent_and_the_rest_goes_in_the_next_run(
    night_on: Callable[[str], Night], site: Site, sandbox: Sandbox, backend: str
) -> None:
    whole = night_on(backend)
    sandbox.reset()
    site.set(his__url=whole.url, his__day_pause_seconds=5)
    cutter = threading.Thread(target=_cut_off_after_a_day, args=(site, whole.url))
    cutter.start()
    ended = Trial(site).run()
    cutter.join()
    assert ended.state == "Failed"
    assert re.fullmatch(LOST, ended.message)
    assert "Traceback" not in ended.text
    days = Counter(row["service_date"] for row in site.rows("select service_date from claim"))
    assert str(FIRST_DAY) in days
    assert str(LAST_DAY) not in days
    assert site.states() == {"accepted": days.total()}
    assert sandbox.stats()["accepted"] == days.total()
    site.set(his__day_pause_seconds=0)
    assert Trial(site).run().state == "Completed"
    taken = {(a["hcode"], a["kind"], a["seq"], a["item"]): a["sha256"] for a in sandbox.accepted()}
    assert taken == whole.accepted
    assert set(sandbox.received().values()) == {1}


def _cut_off_after_a_day(site: Site, url: str) -> None:
    """End the program's connection to the HIS once a day's claims stand in the audit."""
    while not (site.audit.exists() and site.rows("select 1 from sqlite_master where name = 'claim'") and site.states()):
        time.sleep(0.05)
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        orders = sa.text(CUT_OFF["mariadb" if "mysql" in url else "postgresql"])
        for order in connection.execute(orders, {"name": engine.url.database}).scalars().all():
            connection.execute(sa.text(order))
