"""Whatever goes wrong in a run, at most three more bring every claim to MOPH Claim once, and into the ledger."""

import shutil
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from faults import Stages, Trouble, play
from hospital_site import build, database
from private_server import NotHere, PostgreSQL, small_disk
from restored import DAYS, put_back
from troubles import EVERYTHING, TROUBLES

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("reliability")]

AUDITS = ("sqlite", "mariadb", "postgresql")
BY_NAME = {trouble.name: trouble for trouble in TROUBLES}
OF_THE_AUDIT = "audit database gone in mid-run"
ANYWHERE = [trouble for trouble in TROUBLES if not trouble.needs and trouble.name != OF_THE_AUDIT]


@pytest.mark.parametrize(
    ("trouble", "audit"),
    [pytest.param(t, audit, id=f"{t.name}, {audit}") for t, audit in zip(ANYWHERE, cycle(AUDITS), strict=False)],
)
def test_after_a_fault_every_claim_is_taken_once(stage: Stages, trouble: Trouble, audit: str):
    with stage(audit) as here:
        row = play(trouble, here)
    assert row.holds, str(row)


@pytest.mark.parametrize("audit", ["sqlite", "mariadb"])
def test_after_the_audit_was_away_every_claim_is_taken_once(stage: Stages, audit: str):
    with stage(audit) as here:
        row = play(BY_NAME[OF_THE_AUDIT], here)
    assert row.holds, str(row)


def test_after_the_audits_cable_was_pulled_every_claim_is_taken_once(stage: Stages):
    with stage("postgresql") as here:
        row = play(BY_NAME["audit's cable pulled in mid-run"], here)
    assert row.holds, str(row)


def test_after_kill_9_of_the_audits_server_every_claim_is_taken_once(stage: Stages, open_folder: Path):
    try:
        with (
            PostgreSQL(open_folder) as server,
            database(open_folder, server.url) as audit,
            stage(audit, server=server) as here,
        ):
            row = play(BY_NAME["audit server killed in mid-run"], here)
    except NotHere as lack:
        pytest.skip(str(lack))
    assert row.holds, str(row)


def test_after_the_disk_was_full_every_claim_is_taken_once(stage: Stages, tmp_path: Path):
    full = BY_NAME["audit's disk full in mid-run"]
    try:
        with (
            small_disk(tmp_path / "disk", megabytes=16) as disk,
            stage(f"sqlite:///{disk / 'audit.sqlite'}", disk=disk) as here,
        ):
            row = play(full, here)
    except NotHere:  # then no file of the run may grow any more
        with stage("sqlite") as here:
            row = play(full, here)
    assert row.ended is not None
    assert row.ended.failure is not None
    assert row.holds, str(row)


def test_after_the_his_went_away_in_mid_extract_every_claim_is_taken_once(
    stage: Stages, database_on: Callable[[str], str]
):
    hospital = build(database_on("postgresql"), claims=100, days=8)
    with stage("mariadb", hospital=hospital) as here:
        row = play(BY_NAME["HIS gone in mid-extract"], here)
    # Days read before it went away are whole: their claims went in the same run.
    assert 0 < row.left < hospital.claims
    assert row.ended is not None
    assert row.ended.failure is not None
    assert row.holds, str(row)


def test_after_yesterdays_dump_was_put_back_every_claim_is_taken_once(
    stage: Stages, database_on: Callable[[str], str], tmp_path: Path
):
    if not shutil.which("pg_dump"):
        pytest.skip("no pg_dump")
    hospital = build(f"sqlite:///{tmp_path / 'hosxp.sqlite'}", claims=60, days=DAYS)
    with stage("postgresql", hospital=hospital) as here:
        row = put_back(here)
    assert row.left > 0
    assert row.holds, str(row)


def test_a_run_with_two_per_cent_of_every_fault_ends_by_itself_and_says_what_is_left(stage: Stages):
    with stage("sqlite") as here:
        row = play(EVERYTHING, here)
    assert row.ended is not None
    assert row.ended.failure is None
    assert row.ended.report is not None
    assert row.left > 0
    assert "goes again" in row.ended.report or "in doubt" in row.ended.report
    assert row.holds, str(row)
