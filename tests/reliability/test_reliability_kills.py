"""`kill -9` at random instants, and two runs at once: nothing is lost, nothing goes twice."""

import pytest
from faults import Stages
from kills import kill_at_random, start_two, take_over

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("reliability")]


@pytest.mark.parametrize(("audit", "kills"), [("sqlite", 4), ("mariadb", 3), ("postgresql", 3)])
def test_after_kill_9_at_random_instants_every_claim_is_taken_once(stage: Stages, audit: str, kills: int):
    with stage(audit) as here:
        row = kill_at_random(here, kills, seed=kills)
    assert row.kills_in_sending > 0
    assert row.holds, str(row)


def test_two_runs_started_together_send_every_claim_once_between_them(stage: Stages):
    with stage("mariadb") as here:
        row = start_two(here)
    assert row.holds, str(row)


@pytest.mark.parametrize("audit", ["mariadb", "postgresql"])
def test_a_run_cut_off_from_the_audit_is_taken_over_and_sends_nothing_more_when_it_comes_back(
    stage: Stages, audit: str
):
    with stage(audit) as here:
        row = take_over(here)
    assert row.holds, str(row)
