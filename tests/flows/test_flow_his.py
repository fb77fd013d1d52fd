"""Another HIS than HOSxP through the real flow, and a hospital that cannot be read through the real command."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from command_line import moph_claim
from night_shift import DAYS, FIRST_DAY, Night, Site, Trial, spend_night, week_of

from sandbox.his import JHCIS_TRAPS, build_hosxp, build_jhcis, vn_by_visitno
from sandbox.process import Sandbox

pytestmark = pytest.mark.xdist_group("flow_his")

PLAN = {"first_day": FIRST_DAY, "days": DAYS, "visits_a_day": 60}
ACCOUNT = {
    "mariadb": (
        "CREATE USER {name} IDENTIFIED BY 'hidden-from-view'; GRANT SELECT ON {database}.* TO {name}",
        "DROP USER {name}",
    ),
    "postgresql": (
        "CREATE ROLE {name} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}",
        "DROP OWNED BY {name}; DROP ROLE {name}",
    ),
}
"""How an account that may only read is made, and dropped."""


@pytest.fixture(scope="module")
def night(
    prefect_server: dict[str, str],
    moph: Sandbox,
    database_on: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Night:
    """One night over the health centre on MariaDB whose people are those of the hospital of the other nights."""
    url = database_on("mariadb")
    centre = build_jhcis(url, **PLAN)
    site = Site(tmp_path_factory.mktemp("jhcis"), his=url, sandbox=moph, lines={"his.kind": "jhcis"})
    return spend_night(site, centre)


def test_night_of_a_jhcis_ends_with_every_faultless_record_accepted_once(night: Night) -> None:
    assert night.ended.state == "Completed"
    assert "Traceback" not in night.ended.text
    trapped = {visitno for trap in JHCIS_TRAPS for visitno in night.hospital.traps[trap]}
    kinds = Counter(kind for _, kind, visitno, _ in night.accepted if visitno not in trapped)
    assert kinds == night.hospital.claims
    assert len(night.accepted) > 60


def test_night_of_a_jhcis_sends_what_the_hospital_of_the_same_people_sends(
    night: Night, night_on: Callable[[str], Night]
) -> None:
    pairs = vn_by_visitno(**PLAN)
    ours = {(kind, pairs[visitno], item) for _, kind, visitno, item in night.accepted if visitno in pairs}
    theirs = {(kind, vn, item) for _, kind, vn, item in night_on("sqlite").accepted if vn in set(pairs.values())}
    assert ours == theirs
    assert len(ours) > 60


@pytest.mark.parametrize("backend", ["mariadb", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_what_is_confirmed_or_keyed_in_later_goes_and_a_claimed_visit_that_is_gone_is_listed(
    trial: Trial, night_on: Callable[[str], Night], database_on: Callable[[str], str], backend: str
) -> None:
    whole, url = night_on("sqlite").accepted, database_on(backend)
    trapped = {vn for vns in week_of(url).traps.values() for vn in vns}
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    def order(statement: str, **values: str) -> list[str]:
        with engine.begin() as connection:
            done = connection.execute(sa.text(statement), values)
            assert done.rowcount > 0
            return [str(row[0]) for row in done] if done.returns_rows else []

    in_time, late = [vn for _, kind, vn, _ in sorted(whole) if kind == "dm" and vn not in trapped][:2]
    doses = {vn for _, kind, vn, _ in whole if kind == "dt" and vn not in trapped}
    keyed_in = next(vn for vn in order("SELECT vn FROM ovst_vaccine ORDER BY vn") if vn in doses)
    confirm = (
        "UPDATE lab_order SET confirm = :mark "
        "WHERE lab_order_number IN (SELECT lab_order_number FROM lab_head WHERE vn = :vn)"
    )
    order(confirm, mark="N", vn=late)
    order("UPDATE ovst_vaccine SET vn = 'not yet' WHERE vn = :vn", vn=keyed_in)
    trial.sandbox.reset()  # the other night was sent to it too
    trial.site.set(his__url=url)
    assert trial.run().state == "Completed"
    taken = {(a["hcode"], a["kind"], a["seq"], a["item"]): a["sha256"] for a in trial.sandbox.accepted()}
    assert taken == {key: body for key, body in whole.items() if key[2] not in (late, keyed_in)}
    order(confirm, mark="Y", vn=late)
    order("UPDATE ovst_vaccine SET vn = :vn WHERE vn = 'not yet'", vn=keyed_in)
    order("DELETE FROM ovst WHERE vn = :vn", vn=in_time)
    assert trial.run().state == "Completed"
    taken = {(a["hcode"], a["kind"], a["seq"], a["item"]): a["sha256"] for a in trial.sandbox.accepted()}
    assert taken == whole
    assert set(trial.sandbox.received().values()) == {1}
    gone = trial.site.rows("select vn, rule from issue where rule like 'taken.%' and resolved_at is null")
    assert gone == [{"vn": in_time, "rule": "taken.vanished"}]


@pytest.fixture(params=["mariadb", "postgresql"])
def guest(
    request: pytest.FixtureRequest, database_on: Callable[[str], str]
) -> Iterator[tuple[str, Callable[[str], None]]]:
    """A small hospital's address for an account of its own, and what an administrator does there."""
    url = database_on(request.param)
    build_hosxp(url, first_day=FIRST_DAY, days=1, visits_a_day=1, traps=False)
    address = sa.make_url(url).set(username=f"guest_{uuid.uuid4().hex[:12]}", password="hidden-from-view")
    administrator = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    def order(statements: str) -> None:
        with administrator.connect() as connection:
            for statement in statements.split("; "):
                connection.exec_driver_sql(statement.format(name=address.username, database=address.database))

    make, drop = ACCOUNT[request.param]
    order(make)
    yield address.render_as_string(hide_password=False), order
    order(drop)


@pytest.mark.parametrize(
    ("guest", "change", "settings", "sentence"),
    [
        (
            *("mariadb", "ALTER USER {name} PASSWORD EXPIRE", {}),
            "The password of the hospital database's account has expired (127.0.0.1:",
        ),
        ("postgresql", "ALTER ROLE {name} NOLOGIN", {}, "The hospital database's account is locked (127.0.0.1:"),
        pytest.param(
            *("mariadb", "DO 1", {"his__charset": "latin1"}, "The facility's name reads as ???"), marks=pytest.mark.slow
        ),
        pytest.param(
            *("postgresql", "SELECT 1", {"his__kind": "jhcis"}, "The database 127.0.0.1:"), marks=pytest.mark.slow
        ),
    ],
    ids=["password expired", "may not log in", "wrong charset", "other HIS"],
    indirect=["guest"],
)
def test_run_of_a_hospital_that_cannot_be_read_says_why_in_one_sentence(
    site: Site,
    prefect_server: dict[str, str],
    guest: tuple[str, Callable[[str], None]],
    change: str,
    settings: dict[str, str],
    sentence: str,
) -> None:
    address, order = guest
    order(change)
    site.write(MOPH_CLAIM_HIS__URL=address)
    site.set(**settings)
    # On the server of the tests: to start one for each takes long.
    days = ("--from", str(FIRST_DAY), "--to", str(FIRST_DAY))
    said = moph_claim(site.folder, "run", *days, **prefect_server)
    *log, last = said.err.strip().splitlines()
    assert (said.code, said.out) == (2, "")
    assert last.startswith(sentence)
    assert all("| INFO " in line or last in line for line in log), log
    assert "Traceback" not in said.err
    assert "hidden-from-view" not in said.out + said.err
