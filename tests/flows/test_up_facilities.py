"""Two facilities under one `moph-claim up`, and a second worker beside it: their nights side by side, in one audit."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from command_line import moph_claim
from night_shift import DAYS, FIRST_DAY, WINDOW, Site
from officer import fill, rows_of
from up_service import ENDED, OUR_VARIABLES, PATIENCE, Service, until

from core.errors import ConfigurationError
from flows.cli.scope import settings_in_scope
from flows.runs.settle import SettleRequest, settle_claim
from flows.service.deployments import remove_obsolete
from flows.service.work_pool import POOL
from flows.settings.read import read_settings
from sandbox.his import HisSummary, build_hosxp, build_jhcis
from sandbox.process import running_sandbox
from sandbox.world import Account

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("service")]

OF_BOTH: dict[str, Any] = {"first_day": FIRST_DAY, "days": DAYS, "visits_a_day": 20, "traps": False}
HCODES = {"hospital": "10953", "health-centre": "01234"}
KINDS = {"hospital": "hosxp", "health-centre": "jhcis"}
BACKENDS = {"hospital": "mariadb", "health-centre": "sqlite"}
BUILD: dict[str, Callable[[str], HisSummary]] = {
    "hospital": lambda url: numbered_from_one(url, build_hosxp(url, hcode=HCODES["hospital"], seed=1, **OF_BOTH)),
    "health-centre": lambda url: build_jhcis(url, hcode=HCODES["health-centre"], seed=2, **OF_BOTH),
}
SECOND = "second"


def numbered_from_one(url: str, built: HisSummary) -> HisSummary:
    """A hospital whose visits are numbered as a health centre numbers its own: two facilities may have the same numbers."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        visits = connection.scalars(sa.text("select vn from ovst order by vn")).all()
        numbers = [{"new": str(number), "old": vn} for number, vn in enumerate(visits, start=1)]
        for table in sa.inspect(connection).get_table_names():
            if "vn" in {column["name"] for column in sa.inspect(connection).get_columns(table)}:
                connection.execute(sa.text(f"update {table} set vn = :new where vn = :old"), numbers)
    engine.dispose()
    return built


class Province(Site):
    """Two facilities in one folder of settings, each with a database and an account of its own.

    Args:
        folder: Made here.
        sandbox: The stand-in both send to; its accounts are theirs, in this order.
        database_on: Gives new databases.
    """

    def __init__(self, folder: Path, sandbox: Any, database_on: Callable[[str], str]) -> None:
        self.his = {name: database_on(backend) for name, backend in BACKENDS.items()}
        self.summaries = {name: BUILD[name](url) for name, url in self.his.items()}
        self.audit_url = database_on("postgresql")
        super().__init__(folder, his="", sandbox=sandbox, lines={"audit.url": self.audit_url})
        del self.values["his.url"], self.values["api.username"]
        self.secrets = {}
        for (name, hcode), account in zip(HCODES.items(), sandbox.world.accounts, strict=True):
            self.values[f"facilities.{name}.facility.hcode"] = hcode
            self.values[f"facilities.{name}.his.url"] = self.his[name]
            self.values[f"facilities.{name}.his.kind"] = KINDS[name]
            self.values[f"facilities.{name}.api.username"] = account.username
            of = f"MOPH_CLAIM_FACILITIES__{name.replace('-', '_').upper()}__API__"
            self.secrets |= {f"{of}PASSWORD": account.password, f"{of}SECRET_KEY": account.secret_key}
        self.write()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What the audit answers to a query; nothing while it has no tables yet."""
        engine = sa.create_engine(self.audit_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("claim"):
                return []
            return [dict(row) for row in connection.execute(sa.text(query)).mappings()]


@contextmanager
def second_worker(service: Service, home: Path) -> Iterator[None]:
    """A worker as another machine would have it: it knows the server, and takes one run at a time."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)}
    ours = {"PREFECT_API_URL": f"{service.url}/api", "PREFECT_HOME": str(home), "PREFECT_WORKER_QUERY_SECONDS": "1"}
    ours["PREFECT_API_AUTH_STRING"] = service.password
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", SECOND, "--limit", "1"]
    with (home / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            command, cwd=service.site.folder, env={**clean, **ours, "TMPDIR": str(home)}, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(PATIENCE)


@dataclass(frozen=True)
class Nights:
    """What came of both nights.

    Args:
        service: The service, still running.
        site: The facilities.
        runs: Each facility's run, as Prefect has it.
    """

    service: Service
    site: Province
    runs: dict[str, dict[str, Any]]


def begin(service: Service, facility: str) -> str:
    """A run of a facility's nightly deployment, started by hand: its id."""
    deployment = service.deployment(f"nightly-{facility}")["id"]
    parameters = {**WINDOW, "concurrency": 1}
    return str(service.ask(f"deployments/{deployment}/create_flow_run", parameters=parameters)["id"])


def named(service: Service, run: str, *states: str) -> dict[str, Any]:
    """A run, once it is in such a state."""
    return until(lambda: [r for r in service.runs(*states) if r["id"] == run])[0]


def side_by_side(service: Service, site: Province, home: Path) -> dict[str, dict[str, Any]]:
    """Both nights, the hospital's by the second worker; no claim is answered before both are at work."""
    site.sandbox.change(latency_ms=3000)
    with second_worker(service, home):
        until(lambda: [w for w in service.ask(f"work_pools/{POOL}/workers/filter") if w["name"] == SECOND])
        first = service.process_of("worker")
        os.kill(first, signal.SIGSTOP)
        try:
            ids = {"hospital": begin(service, "hospital")}
            named(service, ids["hospital"], "PENDING", "RUNNING", *ENDED)
        finally:
            os.kill(first, signal.SIGCONT)
        ids["health-centre"] = begin(service, "health-centre")
        until(lambda: len(site.rows("select distinct hcode from claim where state = 'sending'")) == 2)
        site.sandbox.change(latency_ms=0)
        return {name: named(service, run, *ENDED) for name, run in ids.items()}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory, database_on: Callable[[str], str]) -> Iterator[Nights]:
    """Both facilities' nights, run side by side by two workers."""
    accounts = [
        Account(username=f"officer-of-{hcode}", password=f"password-{hcode}", hospital_code=hcode)
        for hcode in HCODES.values()
    ]
    with running_sandbox(accounts=tuple(accounts)) as moph:
        site = Province(tmp_path_factory.mktemp("province") / "office", moph, database_on)
        # As docs/operations.md has it for several facilities.
        under_prefect = sa.make_url(database_on("postgresql")).set(drivername="postgresql+asyncpg")
        service = Service(
            site, PREFECT_SERVER_DATABASE_CONNECTION_URL=under_prefect.render_as_string(hide_password=False)
        )
        service.start()
        try:
            yield Nights(service, site, side_by_side(service, site, tmp_path_factory.mktemp("second")))
        finally:
            service.stop(signal.SIGTERM)


def test_both_nights_are_completed_each_by_another_worker(nights: Nights) -> None:
    assert {name: (r["state_type"], r["parameters"]["facility"]) for name, r in nights.runs.items()} == {
        name: ("COMPLETED", name) for name in HCODES
    }, [r["state"]["message"] for r in nights.runs.values()]
    workers = {name: run["labels"]["prefect.worker.name"] for name, run in nights.runs.items()}
    assert workers == {"hospital": SECOND, "health-centre": "here"}


def test_they_overlapped_in_time(nights: Nights) -> None:
    one, other = nights.site.rows("select hcode, started_at, ended_at from run where flow = 'submit-claims'")
    assert {one["hcode"], other["hcode"]} == set(HCODES.values())
    assert max(one["started_at"], other["started_at"]) < min(one["ended_at"], other["ended_at"])


def test_each_facilitys_claims_went_once_under_its_own_account_and_hcode(nights: Nights) -> None:
    sandbox = nights.site.sandbox
    assert set(sandbox.received().values()) == {1}
    taken = [row["hcode"] for row in sandbox.accepted()]
    held = {HCODES[name]: sum(summary.claims.values()) for name, summary in nights.site.summaries.items()}
    assert {hcode: taken.count(hcode) for hcode in set(taken)} == held
    # The stand-in takes no claim but from its hospital's own account; each logged in once.
    bodies = [token.split(".")[1] for token in sandbox.tokens()]
    clients = [json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["client"] for body in bodies]
    assert sorted(client["hospital_code"] for client in clients) == sorted(HCODES.values())


def test_both_stand_in_one_audit_that_proves_itself(nights: Nights) -> None:
    rows = nights.site.rows("select hcode, state, count(*) n from claim group by hcode, state")
    held = {HCODES[name]: sum(summary.claims.values()) for name, summary in nights.site.summaries.items()}
    assert {(r["hcode"], r["state"]): r["n"] for r in rows} == {(hcode, "accepted"): n for hcode, n in held.items()}
    proof = moph_claim(nights.site.folder, "audit", "verify")
    assert (proof.code, "2 runs" in proof.out) == (0, True), proof


@pytest.mark.parametrize(
    ("words", "hcodes"), [((), set(HCODES.values())), (("--facility", "health-centre"), set())], ids=["all", "one"]
)
def test_status_shows_all_facilities_or_one(nights: Nights, words: tuple[str, ...], hcodes: set[str]) -> None:
    said = moph_claim(nights.site.folder, "status", *words)
    where = f"where hcode = '{HCODES['health-centre']}'" if words else ""
    (total,) = nights.site.rows(f"select count(*) n from claim {where}")
    assert f" {total['n']:,} " in said.out.splitlines()[-2]
    assert {hcode for hcode in HCODES.values() if hcode in said.out} == hcodes


def test_a_visit_number_that_both_have_is_told_of_one_when_one_is_named(nights: Nights) -> None:
    same = nights.site.rows("select vn from claim group by vn having count(distinct hcode) = 2")
    said = moph_claim(nights.site.folder, "audit", "show", same[0]["vn"], "--facility", "health-centre")
    assert [hcode in said.out for hcode in HCODES.values()] == [False, True]


@pytest.mark.parametrize(("facility", "told"), [("", [True, True]), ("hospital", [False, False])])
def test_settling_a_visit_number_that_both_have_says_whose_unless_one_is_named(
    nights: Nights, monkeypatch: pytest.MonkeyPatch, facility: str, told: list[bool]
) -> None:
    same = nights.site.rows("select vn from claim group by vn having count(distinct hcode) = 2")
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(nights.site.config))
    said = SettleRequest.of(same[0]["vn"], "again", note="looked up")
    with pytest.raises(ConfigurationError) as error:  # what was accepted is never sent again
        settle_claim(settings_in_scope(read_settings(), facility), said)
    assert [f"{hcode} " in error.value.message.en for hcode in HCODES.values()] == told


def test_reports_and_artifacts_of_each_are_its_own(nights: Nights) -> None:
    for name, hcode in HCODES.items():
        (report,) = (nights.site.folder / "var" / "reports" / name).glob("*.md")
        assert f"MOPH Claim {hcode}:" in report.read_text(encoding="utf-8")
        (artifact,) = nights.service.ask("artifacts/filter", artifacts={"key": {"any_": [f"claims-report-{name}"]}})
        assert artifact["flow_run_id"] == nights.runs[name]["id"]
    (beside,) = (nights.site.folder / "var" / "reports" / "hospital").glob("*.xlsx")
    assert beside.with_suffix(".md").is_file()


def test_maps_of_each_facility_lie_apart(nights: Nights) -> None:
    said = moph_claim(nights.site.folder, "his", "map", "--days", "1", "--facility", "hospital")
    folder = nights.site.folder / "maps" / "hospital"
    assert (said.code, (folder / "labs.csv").is_file()) == (0, True)
    assert f'[facilities.hospital.his] maps_folder = "{folder}"' in said.out


def test_doctor_examines_every_facility(nights: Nights) -> None:
    said = moph_claim(nights.site.folder, "doctor")
    assert (said.code, said.err) == (0, "")
    assert [line for line in said.out.splitlines() if not line.startswith("✓")] == list(HCODES)
    assert [hcode for hcode in HCODES.values() if f"can be read: {hcode}" in said.out] == list(HCODES.values())


def test_run_without_the_facilitys_name_says_which_there_are(nights: Nights) -> None:
    assert moph_claim(nights.site.folder, "run").sentence == (
        "The configuration has several facilities, name one (--facility): hospital, health-centre."
    )


def test_a_workbook_is_imported_for_the_facility_whose_inbox_it_lies_in(nights: Nights, tmp_path: Path) -> None:
    inbox = nights.site.folder / "var" / "inbox" / "hospital"
    book = fill(tmp_path / "claims.xlsx", rows_of(nights.site.his["hospital"], [FIRST_DAY]))
    shutil.copyfile(book, inbox / ".claims.part")
    (inbox / ".claims.part").rename(inbox / "claims.xlsx")
    until(lambda: (inbox / "done" / "claims.result.xlsx").is_file())
    came = "select distinct r.hcode from workbook_row w join run r on r.id = w.run_id"
    assert nights.site.rows(came) == [{"hcode": HCODES["hospital"]}]


def test_deployments_of_a_facility_that_is_configured_no_longer_are_removed(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from prefect.client.orchestration import PrefectClient

    service = nights.service
    nightly = service.deployment("nightly-hospital")
    copied = {key: nightly[key] for key in ("flow_id", "entrypoint", "parameters", "tags")}
    service.ask("deployments", name="nightly-hospital-only-dt", **copied)
    service.ask("deployments", name="nightly", **{**copied, "parameters": {}})  # from when there was one facility
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(nights.site.config))
    settings = read_settings()
    left = settings.model_copy(update={"facilities": {"health-centre": settings.facilities["health-centre"]}})

    async def remove() -> None:
        async with PrefectClient(f"{service.url}/api", auth_string=service.password) as client:
            await remove_obsolete(client, left)

    def names() -> set[str]:
        return {d["name"] for d in service.ask("deployments/filter")}

    before = names()
    asyncio.run(remove())
    assert before - names() == {"nightly", "nightly-hospital", "reconcile-hospital", "inbox-hospital"}
    assert names() == {
        *(f"{name}-health-centre" for name in ("nightly", "reconcile", "inbox")),
        "nightly-hospital-only-dt",  # a person's own
    }
