"""`kill -9` of runs at random instants, until the kills are used up; and two runs at once."""

import random
import shutil
import time
from pathlib import Path

from faults import Row, Stage, amiss, settle
from forked_runs import RunProcess
from hospital_site import RUN_SECONDS, Site

# One in four falls anywhere in the run's life: while it starts, waits for a dead run's lease, reads, registers.
ANYWHERE = 0.25
LATENCY_MS = 60.0
CONNECTIONS = 4


def kill_at_random(stage: Stage, kills: int, seed: int) -> Row:
    """Kill so many runs, one after the other, then let undisturbed ones come to an end, at most three.

    Where a kill falls is drawn so that the claims last: each run may send what is left, divided by the kills left, on
    average.
    """
    site, chance = stage.site, random.Random(seed)
    stage.sandbox.change(latency_ms=LATENCY_MS)
    claims_a_second = CONNECTIONS * 1000 / LATENCY_MS
    in_sending, answers_lost = 0, set()
    life = 1.0  # seconds from a run's start to its first claim, as last seen
    for left in range(kills, 0, -1):
        before = _exchanges(stage)
        run = site.start(CONNECTIONS)
        if chance.random() < ANYWHERE:
            _wait(run, chance.uniform(0, life))
        else:
            started = time.monotonic()
            while _exchanges(stage) == before and run.is_alive():
                time.sleep(0.01)
            life = time.monotonic() - started
            open_claims = site.hospital.claims - stage.sandbox.stats()["accepted"]
            _wait(run, chance.uniform(0, 2 * open_claims / left / claims_a_second))
        run.kill()
        run.wait(RUN_SECONDS)
        time.sleep(2 * LATENCY_MS / 1000)  # the sandbox takes what had reached it
        in_sending += _exchanges(stage) > before and site.states()["sending"] > 0
        answers_lost |= site.not_written_down()
    stage.mend()
    open_claims = site.hospital.claims - site.reckon().settled
    runs, problems = settle(site)
    return Row(
        "kill -9",
        site.backend,
        site.reckon(),
        open_claims,
        runs,
        kills=kills,
        kills_in_sending=in_sending,
        answers_lost=len(answers_lost),
        problems=tuple(problems),
    )


def start_two(stage: Stage) -> Row:
    """Two runs of the same night, started together: between them they send all, and nothing twice."""
    site = stage.site
    both = [site.start(), site.start()]
    problems = [problem for run in both for problem in amiss(run.wait(RUN_SECONDS))]
    received = stage.sandbox.received()
    if again := sum(times > 1 for times in received.values()):
        problems.append(f"{again} claims came to the sandbox more than once")
    left = site.hospital.claims - site.reckon().settled
    return Row("two runs started together", site.backend, site.reckon(), left, 0, problems=tuple(problems))


def take_over(stage: Stage) -> Row:
    """A run's way to the audit is cut in mid-transaction; another machine's run takes over; then the first comes back."""
    assert stage.audit_cable is not None
    site = stage.site
    stage.sandbox.change(latency_ms=LATENCY_MS)
    other = Site(site.folder / "other", site.hospital, site.sandbox, site.audit)
    # Its own lease is not what is tried here: a busy machine may let it stand still for longer than the first one's.
    other.change({"audit.lease_seconds": 60})
    first = site.start(concurrency=2)  # sends for long enough to be caught in mid-transaction

    def caught() -> bool:
        stage.audit_cable.mend()
        _wait(first, 0.01)
        stage.audit_cable.pull()
        _wait(first, 0.1)
        return _holds_its_facility(site)

    try:
        stage.await_sending(first)
        stage.await_(first, caught)
        # As docs/operations.md has it of a machine that joins.
        marks = Path("var", "audit-marks")
        shutil.copytree(site.folder / marks, other.folder / marks)
        second = other.start().wait(RUN_SECONDS / 3)
        stage.audit_cable.mend()
        problems = amiss(second) + amiss(first.wait(RUN_SECONDS))
    finally:
        first.kill()
        other.close()
    if second.failure:
        problems.append(f"the second run failed: {second.failure}")
    left = site.hospital.claims - site.reckon().settled
    stage.mend()
    runs, after = settle(site)
    return Row(
        "a run cut off, another takes over", site.backend, site.reckon(), left, runs, problems=(*problems, *after)
    )


def _holds_its_facility(site: Site) -> bool:
    """Whether a transaction is open at the audit's server that has locked the facility's row."""
    open_for_writing = {
        "mariadb": "select count(*) from information_schema.innodb_trx where trx_rows_locked > 0",
        "postgresql": "select count(*) from pg_locks where relation = 'facility_lock'::regclass and mode = 'RowExclusiveLock'",
    }
    return bool(site.asked(open_for_writing[site.backend]))


def _exchanges(stage: Stage) -> int:
    answers = stage.sandbox.stats()["requests"]
    return sum(sum(by_answer.values()) for name, by_answer in answers.items() if name != "token")


def _wait(run: RunProcess, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and run.is_alive():
        time.sleep(0.005)
