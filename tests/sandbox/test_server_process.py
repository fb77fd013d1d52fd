import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import requests
from server_caller import Caller, dm, ht, message

from sandbox.process import running_sandbox
from sandbox.server import listen
from sandbox.world import World


def test_journal_keeps_what_was_taken_over_kill_minus_nine(tmp_path: Path) -> None:
    with running_sandbox(journal=str(tmp_path / "journal.jsonl")) as sandbox:
        caller = Caller(sandbox)
        caller.log_in()
        uid = caller.submit("dmht", dm()).json()["data"]["transaction_uid"]
        before = sandbox.accepted()
        sandbox.restart()
        assert sandbox.accepted() == before
        # The token is still good, the claim still taken, its status still known.
        assert message(caller.submit("dmht", dm())) == (400, "dm patient unable to claim")
        assert caller.status(uid).status_code == 200
        assert message(caller.submit("dmht", ht())) == (200, "success")


def test_line_of_the_journal_cut_short_is_passed_over(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_text('{"hcode": "10953", "ki', encoding="utf-8")
    with running_sandbox(journal=str(journal)) as sandbox:
        caller = Caller(sandbox)
        caller.log_in()
        caller.submit("dmht", dm())
        sandbox.restart()
        assert sandbox.stats()["accepted"] == 1


def test_reset_wipes_the_journal_too(tmp_path: Path) -> None:
    with running_sandbox(journal=str(tmp_path / "journal.jsonl")) as sandbox:
        caller = Caller(sandbox)
        caller.log_in()
        caller.submit("dmht", dm())
        sandbox.reset()
        sandbox.restart()
        assert sandbox.stats()["accepted"] == 0


def test_without_a_journal_a_killed_sandbox_has_forgotten() -> None:
    with running_sandbox() as sandbox:
        caller = Caller(sandbox)
        caller.log_in()
        caller.submit("dmht", dm())
        sandbox.kill()
        with pytest.raises(requests.ConnectionError):
            caller.submit("dmht", dm())
        sandbox.restart()
        assert sandbox.stats()["accepted"] == 0


def test_sandbox_does_not_outlive_its_parent() -> None:
    parent = textwrap.dedent(
        """
        import sys, time
        from sandbox.process import running_sandbox
        with running_sandbox() as sandbox:
            print(sandbox.port, flush=True)
            time.sleep(600)
        """
    )
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}/_sandbox/stats"
        assert requests.get(url, timeout=300).ok
        os.kill(process.pid, signal.SIGKILL)
    for _ in range(6000):
        try:
            requests.get(url, timeout=300)
        except requests.ConnectionError:
            return
        time.sleep(0.05)
    pytest.fail("still there five minutes after its parent")


def test_sandbox_that_cannot_start_says_so() -> None:
    with running_sandbox() as sandbox, pytest.raises(RuntimeError), running_sandbox(port=sandbox.port):
        pass


def test_taken_address_is_an_error_of_the_system() -> None:
    with listen("127.0.0.1", 0) as sock, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", sock.getsockname()[1])


def test_every_setting_of_the_world_has_a_description() -> None:
    assert all(field.description for field in World.model_fields.values())


def test_serve_ends_at_an_interrupt_without_complaint() -> None:
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
    command = [sys.executable, "-c", f"from sandbox.server import serve; serve(port={port})"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(6000):
            try:
                assert requests.get(f"http://127.0.0.1:{port}/_sandbox/stats", timeout=300).ok
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=300)
    assert (process.returncode, complaint) == (0, "")
