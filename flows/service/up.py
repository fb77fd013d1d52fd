"""`moph-claim up`: the whole service on one machine, in the foreground; one Ctrl-C stops it all."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigurationError
from core.messages import Message
from extract.session import parse_url
from flows.inbox.folder import Inbox
from flows.inbox.watcher import InboxWatch
from flows.service.address import PASSWORD_VARIABLE, check_address
from flows.service.deployments import INBOX, name_for, remove_former, write_timetable
from flows.service.prefect_config import announced, configure_prefect, is_healthy
from flows.service.processes import interrupted_by_signals, run_to_completion, running
from flows.settings.keys import FOLDER_VARIABLE
from flows.settings.model import Settings

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

POOL = "moph-claim"
# Workers of other machines that join the pool have names of their own.
WORKER = "here"
DEAD_RUNS = "moph-claim: end dead runs"
START_SECONDS = 120
# The least that Prefect allows. A run is dead when three beats are missing.
HEARTBEAT_SECONDS = 30
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)


def serve(settings: Settings, host: str, port: int, tell: Callable[[Message], None]) -> None:
    """Start the Prefect server with its UI, the work pool, the deployments and a worker; lasts until it is interrupted.

    Args:
        settings: The settings in force.
        host: Address to listen on; any but this machine's own asks for a password.
        port: Port of the UI and the API.
        tell: Told line by line how far it has come.

    Raises:
        ConfigurationError: There is no HIS, the address cannot be used, or a part did not start or ended.
        KeyboardInterrupt: Ctrl-C or SIGTERM; all parts have been stopped.
    """
    facilities = settings.each()
    for one in facilities:
        _check_his(one)
    check_address(host, port)
    watches = [_watch(one) for one in facilities]
    configure_prefect(settings.data_folder)
    logs = settings.data_folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    url = f"http://{host if host != '0.0.0.0' else '127.0.0.1'}:{port}"  # noqa: S104 - compared, not listened on
    _settle_parts(url, settings.data_folder)
    with interrupted_by_signals(), ExitStack() as stack:
        try:
            parts = _start(stack, host, port, url, settings, tell)
            inboxes = ", ".join(str(one.inbox_folder()) for one in facilities)
            tell(
                Message(
                    f"พร้อมแล้ว เปิด {url} รอบกลางคืนเริ่ม 01:30 น. รอบตรวจทานเริ่ม 05:30 น. ไฟล์ Excel ที่วางใน "
                    f"{inboxes} นำเข้าเอง หยุดด้วย Ctrl-C",
                    f"Ready: {url}; the nightly run starts at 01:30, reconcile at 05:30 Bangkok time; workbooks put into "
                    f"{inboxes} are imported. Ctrl-C stops it all.",
                )
            )
            while True:
                for watch in watches:
                    watch.look()
                for name, part in parts.items():
                    if part.poll() is not None:
                        raise _gone(name, logs)
                time.sleep(0.5)
        except KeyboardInterrupt:
            tell(Message("กำลังหยุด ...", "Stopping ..."))
            raise


def _start(
    stack: ExitStack, host: str, port: int, url: str, settings: Settings, tell: Callable[[Message], None]
) -> dict[str, "subprocess.Popen[bytes]"]:
    logs = settings.data_folder / "logs"

    def part(name: str, *words: str) -> "subprocess.Popen[bytes]":
        return stack.enter_context(running([sys.executable, "-m", "prefect", *words], logs / f"{name}.log"))

    tell(Message("1/4 เปิดเซิร์ฟเวอร์ Prefect ...", "1/4 Starting the Prefect server ..."))
    server = part("server", "server", "start", "--host", host, "--port", str(port))
    # It takes seconds, as the server's start does.
    import prefect.client.orchestration  # noqa: F401

    _wait("server", server, lambda: is_healthy(url), logs)
    tell(Message("2/4 เตรียมคิวงานและตัวเฝ้าระวัง ...", "2/4 Preparing the work pool and the watch for dead runs ..."))
    asyncio.run(_prepare(settings))
    tell(Message("3/4 เปิดตัวทำงาน ...", "3/4 Starting the worker ..."))
    stack.enter_context(announced(settings.data_folder, url))
    worker = part("worker", "worker", "start", "--pool", POOL, "--name", WORKER)
    tell(Message("4/4 ตั้งตารางเวลา ...", "4/4 Setting the timetable ..."))
    deploy = [sys.executable, "-m", "prefect", "deploy", "--all", "--prefect-file", str(write_timetable(settings))]
    if not run_to_completion(deploy, logs / "deploy.log"):
        raise _gone("deploy", logs)
    _wait("worker", worker, lambda: asyncio.run(_has_worker()), logs)
    return {"server": server, "worker": worker}


def _check_his(facility: Settings) -> None:
    if facility.facility.name:  # a health centre without a HIS has workbooks alone
        return
    try:
        parse_url(facility.his)
    except ConfigurationError as error:
        key, said = facility.facility_key, error.message
        raise ConfigurationError(Message(f"{key}: {said.th}", f"{key}: {said.en}") if key else said) from None


def _watch(facility: Settings) -> InboxWatch:
    inbox = Inbox(facility.inbox_folder(), facility.inbox.settle_seconds)
    return InboxWatch(inbox, name_for(INBOX, facility.facility_key))


def _settle_parts(url: str, data_folder: Path) -> None:
    """What all parts are told; this process speaks to the server as well, and they inherit its environment."""
    os.environ.update(
        {
            "PREFECT_API_URL": f"{url}/api",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
            # A module of the same name in the hospital's folder is not ours.
            "PYTHONSAFEPATH": "1",
            FOLDER_VARIABLE: str(Path.cwd()),
        }
    )
    # A worker wants /tmp/runner_storage, which belongs to whoever was there first.
    temporary = data_folder / "prefect" / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    # Prefect writes its pages anew at each start, by default to where the program lies, which is not ours to write.
    os.environ.setdefault("PREFECT_UI_STATIC_DIRECTORY", str(data_folder / "prefect" / "pages"))
    # The browser asks where the page came from, so a proxy may stand between; a page from elsewhere may not ask.
    os.environ.setdefault("PREFECT_UI_API_URL", "/api")
    os.environ.setdefault("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", url)
    # One write to its database for many tasks, not one each: SQLite refuses the form's "Run" while others write.
    os.environ.setdefault("PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE", "100")
    os.environ.setdefault("PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL", "1")
    # In memory, as is the default, a restart would lose who holds a deployment's one place, and nobody would give it back.
    os.environ.setdefault(
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", "prefect.server.concurrency.lease_storage.filesystem"
    )
    if password := os.environ.get(PASSWORD_VARIABLE):
        os.environ.setdefault("PREFECT_API_AUTH_STRING", password)


def _wait(name: str, part: "subprocess.Popen[bytes]", is_up: Callable[[], bool], logs: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and part.poll() is None:
        if is_up():
            return
        time.sleep(0.3)
    raise _gone(name, logs)


async def _has_worker() -> bool:
    # Imported late, as in all that follows: Prefect reads its settings when it is imported.
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import WorkPoolStatus

    async with get_client() as client:
        return (await client.read_work_pool(POOL)).status == WorkPoolStatus.READY


async def _prepare(settings: Settings) -> None:
    """The work pool and the automation, where they are not there yet: what a person changed in the UI stays."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    async with get_client() as client:
        try:
            await client.read_work_pool(POOL)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            await client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
        await _end_what_was_cut_off(client)
        await remove_former(client, settings)  # before there is a worker that would take their runs
        if not await client.read_automations_by_name(DEAD_RUNS):
            await _watch_for_dead_runs()


async def _end_what_was_cut_off(client: "PrefectClient") -> None:
    """This machine's runs that a power cut left Running: the automation forgets them with the server it ran in.

    They would keep the deployment's one place, and every run after them would wait for ever.
    """
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import State, StateType
    from prefect.states import Crashed

    states = filters.FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING])
    for run in await client.read_flow_runs(
        flow_run_filter=filters.FlowRunFilter(state=filters.FlowRunFilterState(type=states)),
        work_pool_filter=filters.WorkPoolFilter(name=filters.WorkPoolFilterName(any_=[POOL])),
    ):
        if run.labels.get("prefect.worker.name") == WORKER:
            cut_off: State[None] = Crashed(message="The machine or the service stopped in mid-run.")
            await client.set_flow_run_state(run.id, cut_off, force=True)


async def _watch_for_dead_runs() -> None:
    """A run of whichever machine that has gone silent is Crashed, so that it is seen and others may start."""
    from prefect.automations import Automation
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture

    ended = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    seconds = int(SILENCE.total_seconds())
    await Automation(
        name=DEAD_RUNS,
        description=f"A run that was silent for {seconds} seconds is Crashed; the next run takes up its claims.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat"} | ended,
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=f"No heartbeat for {seconds} seconds.")],
    ).acreate()


def _gone(name: str, logs: Path) -> ConfigurationError:
    log = logs / f"{name}.log"
    return ConfigurationError(Message(f"ส่วน {name} หยุดทำงาน กรุณาดู {log}", f"The part {name} does not run: see {log}."))
