"""A Prefect server of the tests' own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.service.prefect_config import is_healthy

START_SECONDS = 120


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
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_healthy(url):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the Prefect server does not run:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield home | {"PREFECT_API_URL": f"{url}/api", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
