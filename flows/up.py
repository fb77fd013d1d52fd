"""`moph-claim up`: the whole service on one machine, in the foreground; one Ctrl-C stops it all."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import requests

from extract.errors import ConfigurationError
from extract.messages import Message
from flows.settings import FOLDER_VARIABLE, Settings

POOL = "moph-claim"
TIMETABLE = Path(__file__).parents[1] / "prefect.yaml"
START_SECONDS = 120
STOP_SECONDS = 20


def serve(settings: Settings, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Start the Prefect server with its UI, the work pool, the deployments and a worker; lasts until it is interrupted.

    Args:
        settings: The settings in force.
        host: Address to listen on; beyond this machine put a proxy with TLS and a password before it.
        port: Port of the UI and the API.
        on_ready: Told the UI's address when all is up.

    Raises:
        ConfigurationError: A part did not start, or ended; says which and where its log lies.
        KeyboardInterrupt: Ctrl-C or SIGTERM; all parts have been stopped.
    """
    url = f"http://{host}:{port}"
    logs = settings.data_folder.absolute() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    # This process speaks to the server as well, and its parts inherit what it says.
    os.environ.update(
        {
            "PREFECT_API_URL": f"{url}/api",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            FOLDER_VARIABLE: str(Path.cwd()),
        }
    )
    with _ended_by_sigterm(), ExitStack() as parts:
        server = parts.enter_context(_running("server", logs, "server", "start", "--host", host, "--port", str(port)))
        _wait_until_healthy(url, server, logs)
        _once("work-pool", logs, "work-pool", "create", POOL, "--type", "process", "--overwrite")
        _once("deploy", logs, "deploy", "--all", "--prefect-file", str(TIMETABLE))
        asyncio.run(_end_dead_runs())
        worker = parts.enter_context(_running("worker", logs, "worker", "start", "--pool", POOL, "--name", "here"))
        on_ready(url)
        while True:
            for name, part in (("server", server), ("worker", worker)):
                if part.poll() is not None:
                    raise _gone(name, logs)
            time.sleep(0.5)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *words]


@contextmanager
def _running(name: str, logs: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A part in a session of its own, so that a Ctrl-C is ours to pass on, in order."""
    with (logs / f"{name}.log").open("ab") as log:
        part = subprocess.Popen(  # noqa: S603 - our own interpreter
            _command(*words), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield part
    finally:
        with suppress(ProcessLookupError):
            os.killpg(part.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            part.wait(STOP_SECONDS)
        # A run it started may still be there: its claims are in doubt, the next run asks.
        with suppress(ProcessLookupError):
            os.killpg(part.pid, signal.SIGKILL)
        part.wait()


def _once(name: str, logs: Path, *words: str) -> None:
    with (logs / f"{name}.log").open("ab") as log:
        done = subprocess.run(_command(*words), stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False)  # noqa: S603
    if done.returncode:
        raise _gone(name, logs)


def _wait_until_healthy(url: str, server: "subprocess.Popen[bytes]", logs: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(requests.RequestException):
            if requests.get(f"{url}/api/health", timeout=5).ok:
                # Someone else's server on this port would answer as well, while ours finds the port taken and ends.
                time.sleep(0.5)
                if server.poll() is None:
                    return
        time.sleep(0.3)
    raise _gone("server", logs)


async def _end_dead_runs() -> None:
    """A killed machine leaves its run Running for ever: this ends it 90 seconds after its last heartbeat."""
    # Imported late: Prefect reads its settings when it is imported.
    from prefect.automations import Automation
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture

    name = "moph-claim: end dead runs"
    async with get_client() as client:
        if await client.read_automations_by_name(name):
            return
    ended = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    await Automation(
        name=name,
        description="A run that has gone silent for 90 seconds is Crashed; its claims are taken up by the next run.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat"} | ended,
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=90),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat for 90 seconds.")],
    ).acreate()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM, as systemd sends it, is a Ctrl-C."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _gone(name: str, logs: Path) -> ConfigurationError:
    log = logs / f"{name}.log"
    return ConfigurationError(
        Message(
            f"ส่วน {name} ไม่ทำงาน กรุณาดู {log} (พอร์ตอาจถูกใช้อยู่ ลอง --port)",
            f"The part {name} does not run: see {log} (its port may be taken, try --port).",
        )
    )
