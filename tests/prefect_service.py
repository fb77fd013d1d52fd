"""A Prefect server of the tests' own, and one that all processes of a session share.

As a program it keeps the shared one running until nobody uses it any more; its only argument is the folder.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi
from lifeline import ending_with_parent

from flows.service.prefect_config import is_healthy

START_SECONDS = 600
STOP_SECONDS = 300


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def prefect_server(folder: Path, *options: str, **environment: str) -> Iterator[dict[str, str]]:
    """A Prefect server whose files and words all stay in a folder, while the block lasts.

    Args:
        folder: Made if need be.
        options: Further ones of `prefect server start`.
        environment: Further variables of the server.

    Yields:
        Variables by which a run, or this process, finds it.

    Raises:
        RuntimeError: It does not start.
    """
    temporary = folder / "server-tmp"
    temporary.mkdir(parents=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    home = {"PREFECT_HOME": str(folder / "home")}
    quiet = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "TMPDIR": str(temporary),
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MOPH_CLAIM", "PREFECT"))}
    log = folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), *options],
            env=clean | home | quiet | environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=ending_with_parent(),
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_healthy(url):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the Prefect server does not run:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield home | {
            "PREFECT_API_URL": f"{url}/api",
            "PREFECT_API_SSL_CERT_FILE": str(_one_certificate(folder)),
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        }
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _one_certificate(folder: Path) -> Path:
    """A bundle of one: each of Prefect's clients reads the whole of it, six a run, and the server here has none."""
    end = "-----END CERTIFICATE-----\n"
    bundle = Path(certifi.where()).read_text(encoding="ascii")
    file = folder / "one.pem"
    file.write_text(bundle.partition(end)[0] + end, encoding="ascii")
    return file


@contextmanager
def shared_prefect_server(folder: Path) -> Iterator[dict[str, str]]:
    """The one Prefect server of all processes that name the same folder; started by the first, ended after the last.

    Each user holds a lock for as long as it lives, so the server ends too when all of them have been killed.

    Args:
        folder: Made if need be; the server's files lie below it.

    Yields:
        Variables by which a run, or this process, finds it.

    Raises:
        RuntimeError: It does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = folder / "address.json"
    with (folder / "users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with locked(folder / "starting"):
            if not address.exists():
                _start_keeper(folder, address)
        yield json.loads(address.read_text(encoding="utf-8"))


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """One process of the session at a time."""
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start_keeper(folder: Path, address: Path) -> None:
    log = folder / "keeper.log"
    search = os.pathsep.join(path for path in (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")) if path)
    with log.open("wb") as out:
        # A session of its own: Ctrl-C ends its users first, and the keeper by that.
        keeper = subprocess.Popen(
            [sys.executable, __file__, str(folder)],
            env=os.environ | {"PYTHONPATH": search},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    while not address.exists():
        if keeper.poll() is not None:
            raise RuntimeError(f"the shared Prefect server does not run:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _keep(folder: Path) -> None:
    address = folder / "address.json"
    with (
        (folder / "users").open("a") as users,
        prefect_server(Path(tempfile.mkdtemp(prefix="server-", dir=folder)), "--no-services") as found,
    ):
        whole = address.with_suffix(".part")
        whole.write_text(json.dumps(found), encoding="utf-8")
        whole.rename(address)
        fcntl.flock(users, fcntl.LOCK_EX)  # once nobody holds it
        address.unlink()


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
