"""`moph-claim up`: the whole service on one machine, in the foreground; one Ctrl-C stops it all."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Protocol

from core.clock import now
from core.errors import ConfigurationError
from core.messages import Message
from extract.session import parse_url
from flows.inbox.folder import Inbox
from flows.inbox.watcher import InboxWatcher
from flows.service.address import Address, listen
from flows.service.dead_runs import crash_interrupted_runs, create_automation
from flows.service.deployments import INBOX, deployment_name, remove_obsolete, write_timetable
from flows.service.prefect_config import announced, configure_prefect, configure_service, is_healthy
from flows.service.processes import interrupted_by_signals, run_to_completion, running
from flows.service.readiness import PartLogs, check_readiness
from flows.service.run_watch import RunWatch
from flows.service.work_pool import POOL, WORKER, has_worker, secure_work_pool
from flows.settings.model import Settings

START_SECONDS = 120
"""How long the server, the worker or the timetable may take until it is ready."""
WATCH_SECONDS = 0.5

_NOT_LOCAL = Message(
    "เครื่องอื่นเข้าหน้านี้ได้ และรหัสผ่านส่งโดยไม่เข้ารหัส ควรเปิดผ่าน proxy ที่มี TLS ดู docs/operations.md",
    "Other machines can reach this address, and the password travels unencrypted: a proxy with TLS is better, see "
    "docs/operations.md.",
)

Process = subprocess.Popen[bytes]
ShowMessage = Callable[[Message], None]


@dataclass(frozen=True)
class Endpoint:
    """What the server serves.

    Args:
        address: Where it listens.
        listening: The socket, which is open for as long as this process lives.
        names: Names and addresses that a request may call it by.
    """

    address: Address
    listening: socket.socket
    names: Sequence[str]

    def server(self) -> list[str]:
        """The command of the server process."""
        names = [f"--name={name}" for name in self.names]
        return [sys.executable, "-m", "flows.service.server", f"--socket={self.listening.fileno()}", *names]


class Watcher(Protocol):
    """Looks after something while the service runs."""

    def poll(self) -> None:
        """Look, if it is time to."""


def serve(settings: Settings, address: Address, host_names: Sequence[str], show: ShowMessage) -> None:
    """Start the Prefect server with its UI, the work pool, the deployments and a worker; lasts until it is interrupted.

    Args:
        settings: The settings in force.
        address: Where to listen.
        host_names: Further names that requests may call it by, beside those of the settings.
        show: Called with every line of progress.

    Raises:
        ConfigurationError: There is no HIS, the address cannot be used, or the server or the worker did not start or
            ended.
        KeyboardInterrupt: Ctrl-C or SIGTERM; all processes have been stopped.
    """
    facilities = settings.each()
    for facility in facilities:
        _check_his(facility)
    with ExitStack() as stack:
        names = address.names([*settings.service.host_names, *host_names])
        endpoint = Endpoint(address, stack.enter_context(listen(address)), names)
        watchers: list[Watcher] = [_inbox_watcher(facility) for facility in facilities]
        configure_prefect(settings.data_folder)
        check_readiness(settings.data_folder)
        stack.enter_context(announced(settings.data_folder, address.url))
        logs = PartLogs(settings.data_folder / "logs")
        configure_service(address.url, settings.data_folder)
        watchers.append(RunWatch(settings.service, address.url, lambda line: _alert(line, logs, show)))
        if not address.is_local:
            show(_NOT_LOCAL)
        stack.enter_context(interrupted_by_signals())
        try:
            processes = _start(stack, endpoint, settings, logs, show)
            show(_ready(address, facilities))
            _watch(processes, watchers, logs)
        except KeyboardInterrupt:
            show(Message("กำลังหยุด ...", "Stopping ..."))
            raise


def _alert(line: Message, logs: PartLogs, show: ShowMessage) -> None:
    """Tell people, on the console (systemd: the journal) and in a file."""
    show(line)
    # On a full disk the console has it alone.
    with suppress(OSError), (logs.folder / "alerts.log").open("a", encoding="utf-8") as file:
        file.write(f"{now():%Y-%m-%d %H:%M:%S} {line}\n")


def _check_his(facility: Settings) -> None:
    if facility.facility.name:  # a health centre that has workbooks only
        return
    try:
        parse_url(facility.his)
    except ConfigurationError as error:
        key, text = facility.facility_key, error.message
        raise ConfigurationError(Message(f"{key}: {text.th}", f"{key}: {text.en}") if key else text) from None


def _inbox_watcher(facility: Settings) -> InboxWatcher:
    inbox = Inbox(facility.inbox_folder(), facility.inbox.settle_seconds)
    return InboxWatcher(inbox, deployment_name(INBOX, facility.facility_key))


def _start(
    stack: ExitStack, endpoint: Endpoint, settings: Settings, logs: PartLogs, show: ShowMessage
) -> dict[str, Process]:
    """Start server and worker; returns them by name.

    The stack ends them in reverse: the worker is suspended, so that it starts no further run; its runs are ended; the
    worker is resumed and ended; then the server. So the runs can still report their end.
    """
    show(Message("1/4 เปิดเซิร์ฟเวอร์ Prefect ...", "1/4 Starting the Prefect server ..."))
    serving = running(endpoint.server(), logs.begin("server"), sockets=[endpoint.listening.fileno()])
    server = stack.enter_context(serving)
    # The import takes seconds, as the start of the server does: side by side they take half as long.
    import prefect.client.orchestration  # noqa: F401

    _wait("server", server, lambda: is_healthy(endpoint.address.url), logs)
    show(Message("2/4 เตรียมคิวงานและตัวเฝ้าระวัง ...", "2/4 Preparing the work pool and the watch for dead runs ..."))
    asyncio.run(_prepare(settings))
    show(Message("3/4 เปิดตัวทำงาน ...", "3/4 Starting the worker ..."))
    work = _prefect("worker", "start", "--pool", POOL, "--name", WORKER)
    worker = stack.enter_context(running(work, logs.begin("worker")))
    show(Message("4/4 ตั้งตารางเวลา ...", "4/4 Setting the timetable ..."))
    deploy = _prefect("deploy", "--all", "--prefect-file", str(write_timetable(settings)))
    if not run_to_completion(deploy, logs.begin("deploy"), START_SECONDS):
        raise logs.not_running("deploy")
    _wait("worker", worker, lambda: asyncio.run(has_worker()), logs)
    return {"server": server, "worker": worker}


def _prefect(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]


async def _prepare(settings: Settings) -> None:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        await secure_work_pool(client)
        await crash_interrupted_runs(client)
        await remove_obsolete(client, settings)  # before a worker could take their runs
        await create_automation(client)


def _ready(address: Address, facilities: Sequence[Settings]) -> Message:
    inboxes = ", ".join(str(facility.inbox_folder()) for facility in facilities)
    return Message(
        f"พร้อมแล้ว เปิด {address.url} รอบกลางคืนเริ่ม 01:30 น. รอบตรวจทานเริ่ม 05:30 น. ไฟล์ Excel ที่วางใน "
        f"{inboxes} นำเข้าเอง รหัสผ่านของหน้าเว็บดูด้วย moph-claim password หยุดด้วย Ctrl-C",
        f"Ready: {address.url}; the nightly run starts at 01:30, reconcile at 05:30 Bangkok time; workbooks put into "
        f"{inboxes} are imported. The pages ask for a password: moph-claim password shows it. Ctrl-C stops it all.",
    )


def _watch(processes: Mapping[str, Process], watchers: Sequence[Watcher], logs: PartLogs) -> None:
    """Poll the inboxes and the runs until a process ends.

    Raises:
        ConfigurationError: It ended.
    """
    while True:
        for watcher in watchers:
            watcher.poll()
        for name, process in processes.items():
            if process.poll() is not None:
                raise logs.not_running(name)
        time.sleep(WATCH_SECONDS)


def _wait(name: str, process: Process, is_ready: Callable[[], bool], logs: PartLogs) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if is_ready():
            return
        time.sleep(0.3)
    raise logs.not_running(name)
