"""A run of the tests that is interrupted leaves nothing behind: no server at once, no database after the next run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from databases import Databases
from lifeline import ending_with_parent

PATIENCE = 300
SESSION = """
import json, sys, time
from pathlib import Path
from databases import Databases
from prefect_service import shared_prefect_server

folder = Path(sys.argv[1])
databases = Databases(folder)
with shared_prefect_server(folder) as server:
    made = [databases(backend) for backend in sys.argv[2:]]
    print(json.dumps([server["PREFECT_API_URL"], made]), flush=True)
    time.sleep(3600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_its_prefect_server_ends_and_its_databases_are_dropped_by_the_next_run(
    database_on: Callable[[str], str], tmp_path: Path, how: signal.Signals
) -> None:
    servers = ("mariadb", "postgresql")
    for server in servers:
        database_on(server)  # skips where there is none
    here = Path(__file__).parent
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION, str(tmp_path), *servers],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=ending_with_parent(signal.SIGKILL),
    )
    assert session.stdout is not None
    api, made = json.loads(session.stdout.readline())
    assert requests.get(f"{api}/health", timeout=PATIENCE).ok
    assert all(map(is_there, made))
    session.send_signal(how)
    session.communicate()
    until(lambda: not answers(api))
    until(lambda: not (tmp_path / "address.json").exists())

    def swept() -> bool:
        next_run = Databases(tmp_path)
        for server in servers:
            next_run(server)
        next_run.close()
        return not any(map(is_there, made))

    until(swept)


def answers(api: str) -> bool:
    try:
        return requests.get(f"{api}/health", timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


def is_there(url: str) -> bool:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        engine.connect().close()
    except sa.exc.SQLAlchemyError:
        return False
    return True


def until(moment: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not moment():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
