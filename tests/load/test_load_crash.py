"""A run that ends in mid-chunk, as a real process: nothing is lost, nothing goes twice."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from lifeline import ending_with_parent
from load_night import let_leases_run_out, make_claims, night, rows, settings_for, standing
from sqlalchemy import Engine

from load.database import open_audit
from load.settings import ApiSettings
from load.states import State
from load.tables import claim, facility_lock, run, submission
from sandbox.process import Sandbox

CLAIMS = 150
PATIENCE = 300  # seconds; whoever waits longer waits for nothing

pytestmark = pytest.mark.slow


@contextmanager
def sending(
    audit_url: str, sandbox: Sandbox, *, until_taken: int, lease: float = 300
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sends, and has come so far."""
    settings = {"token_url": sandbox.token_url, "api_url": sandbox.api_url}
    settings |= {"username": "sandbox", "password": "sandbox-password"}
    asked = json.dumps({"audit": audit_url, "settings": settings, "claims": CLAIMS, "lease": lease})
    here = Path(__file__)
    process = subprocess.Popen(
        [sys.executable, str(here.with_name("night_process.py")), asked],
        env=os.environ | {"PYTHONPATH": str(here.parents[2])},
        stderr=subprocess.PIPE,
        preexec_fn=ending_with_parent(signal.SIGKILL),
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while sandbox.stats()["accepted"] < until_taken:
            assert process.poll() is None, (process.stderr.read() if process.stderr else b"").decode()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_after_kill_9_in_mid_chunk_the_next_run_accounts_for_every_claim(
    new_database: Callable[[], str], sandbox: Sandbox, api: ApiSettings
):
    url = new_database()
    sandbox.change(latency_ms=30)
    with sending(url, sandbox, until_taken=30) as process:
        process.kill()
    process.wait()
    engine = open_audit(url)
    left, taken = standing(engine), sandbox.stats()["accepted"]
    # An intent is committed before its first byte: whatever the server took is accepted or marked as sending.
    assert 0 < left[State.SENDING] <= 2 * 8
    assert taken <= left[State.ACCEPTED] + left[State.SENDING]
    assert left[State.ACCEPTED] <= taken < CLAIMS
    hung = {row.vn for row in rows(engine, claim, state=State.SENDING)}

    sandbox.change(latency_ms=0)
    let_leases_run_out(engine)
    night(engine, api, concurrency=8)
    asked = rows(engine, submission, call="eligibility")
    by_id = {row.id: row.vn for row in rows(engine, claim)}
    assert {by_id[row.claim_id] for row in asked} == hung
    accounted_for(engine, sandbox)
    assert [row.state for row in sorted(rows(engine, run), key=lambda row: row.started_at)] == ["failed", "completed"]
    engine.dispose()


def test_after_kill_9_without_the_eligibility_check_one_more_sending_tells(audit: Engine, sandbox: Sandbox):
    sandbox.change(latency_ms=30)
    with sending(audit.url.render_as_string(), sandbox, until_taken=30) as process:
        process.kill()
    process.wait()
    sandbox.change(latency_ms=0)
    let_leases_run_out(audit)
    night(audit, settings_for(sandbox, ask_eligibility=False), concurrency=8)
    accounted_for(audit, sandbox)
    assert not rows(audit, submission, call="eligibility")


def test_ctrl_c_ends_a_run_with_every_answer_written_down(audit: Engine, sandbox: Sandbox, api: ApiSettings):
    sandbox.change(latency_ms=30)
    with sending(audit.url.render_as_string(), sandbox, until_taken=30) as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert b"KeyboardInterrupt" in said
    left = standing(audit)
    assert set(left) == {State.ACCEPTED, State.READY}
    assert left[State.ACCEPTED] == sandbox.stats()["accepted"]
    assert rows(audit, run)[0].state == "failed"
    assert rows(audit, facility_lock) == []
    night(audit, api, make_claims(CLAIMS))
    accounted_for(audit, sandbox)
    assert sandbox.stats()["received"] == CLAIMS


def test_a_run_that_stood_still_until_another_took_over_sends_nothing_more(
    audit: Engine, sandbox: Sandbox, api: ApiSettings
):
    """As a machine that is put to sleep: what it was about to send has gone by another hand when it wakes."""
    sandbox.change(latency_ms=30)
    with sending(audit.url.render_as_string(), sandbox, until_taken=30, lease=2) as process:
        stand_still_between_two_commits(process, audit)
        # Only when the lease has run out by itself does the other run take over, and not before.
        night(audit, api, concurrency=8, lease=5)
        assert standing(audit) == {State.ACCEPTED: CLAIMS}
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=PATIENCE)
    assert b"lost its facility" in said
    accounted_for(audit, sandbox)
    # Only a request that stood still half-way out, one a thread at most, can still arrive; it is refused.
    assert sandbox.stats()["received"] <= CLAIMS + 8


def stand_still_between_two_commits(process: subprocess.Popen[bytes], audit: Engine) -> None:
    """Stop a process where it does not hold the database, which would stand still with it."""
    while True:
        process.send_signal(signal.SIGSTOP)
        # The signal takes a moment to reach every thread: one could still begin a transaction.
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        with closing(sqlite3.connect(audit.url.database or "", timeout=0, isolation_level=None)) as plain:
            try:
                plain.execute("begin immediate")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                time.sleep(0.005)
            else:
                return


def accounted_for(engine: Engine, sandbox: Sandbox) -> None:
    """What the server accepted stands in the ledger as accepted or presumed so, each once."""
    stand, stats = standing(engine), sandbox.stats()
    assert stand[State.ACCEPTED] + stand[State.PRESUMED_ACCEPTED] == CLAIMS == stand.total()
    assert stats["accepted"] == stats["accepted_keys"] == CLAIMS
    assert {row.vn for row in rows(engine, claim)} == {taken["seq"] for taken in sandbox.accepted()}
