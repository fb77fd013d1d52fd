"""What the flows share: tasks, progress, and how a flow ends.

A task is a day's extract, a day's transform, or a chunk. Data never passes through Prefect: tasks are given the run and
return nothing, for whatever they return is kept for the length of the run, and whatever they raise is written to disk. So a
failure is a state with its sentence, which carries the error in memory; `attempt` gives it to the flow.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

from prefect import Flow, Task, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState
from prefect.states import Completed, Failed
from prefect.utilities.annotations import quote

from core.errors import MophClaimError, as_discreet, as_sentence
from core.messages import Language, Message
from flows.parameters import ImportParameters, ReconcileParameters, SubmitParameters
from flows.reports.report import Report
from flows.runs.claim_run import ClaimRun
from flows.runs.old_files import remove_old_files
from flows.settings.model import Settings
from flows.settings.read import read_settings
from load.open_visits import Visits
from load.queue import DueClaim

OnWait = Callable[[str], None]
P = TypeVar("P", SubmitParameters, ReconcileParameters, ImportParameters)
R = TypeVar("R", bound=ClaimRun)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Args:
        report: Its report, if it came that far.
        failure: Why it failed, if it did.
    """

    report: Report | None
    failure: MophClaimError | None


def as_failed_state(step: Callable[..., None]) -> Callable[..., PrefectState[Any] | None]:
    """A step that fails ends in a state with its sentence and the error; nothing is raised."""

    @wraps(step)
    def guarded(run: ClaimRun, *args: Any, **kwargs: Any) -> PrefectState[Any] | None:
        try:
            step(run, *args, **kwargs)
        except Exception as error:
            failure = as_failure(error)
            return Failed(message=failure.discreet.say(run.settings.language), data=failure)
        return None

    return guarded


def as_failure(error: Exception) -> MophClaimError:
    """Any error as one of ours, with its sentence."""
    return error if isinstance(error, MophClaimError) else MophClaimError(as_sentence(error))


def attempt(step: Task[..., Any], *args: Any) -> MophClaimError | None:
    """Run a task made of `as_failed_state`; gives why it failed, if it did."""
    state = cast("PrefectState[Any]", step(*args, return_state=True))
    if state.is_completed():
        return None
    failure = state.result(raise_on_failure=False)
    return failure if isinstance(failure, MophClaimError) else _unknown(state)


def _unknown(state: PrefectState[Any]) -> MophClaimError:
    """Where Prefect itself failed: what it says."""
    message = state.message or str(state.type)
    return MophClaimError(Message(message, message))


@task(name="send chunk", task_run_name="send chunk {number}", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def send_chunk(run: ClaimRun, number: int, chunk: list[DueClaim]) -> None:
    """Send a few hundred claims over a handful of connections; ends when the connections want the next chunk."""
    run.send_chunk(number, chunk)


@task(name="last answers", task_run_name="last answers", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def await_last_answers(run: ClaimRun) -> None:
    """Wait for the answers still to come, and write them down."""
    run.finish_sending()


class ReadsVisits(Protocol):
    """A run that can read visits again at its source."""

    def read_again(self, visits: Visits) -> Iterator[tuple[date, Counter[str]]]:
        """Read these visits as they are today, and register them; each service day, and what the ledger made of it."""


@task(name="read again", task_run_name="read again", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def read_again(run: ClaimRun, visits: Visits) -> None:
    """Read the visits that wait for something, as they are today."""
    n = sum(map(len, visits.values()))
    days = sum(1 for _ in cast(ReadsVisits, run).read_again(visits))
    log(run, Message(f"อ่าน {n} ครั้งบริการที่ค้างอยู่ใหม่ จาก {days} วัน", f"{n} waiting visits read again, of {days} days"))


class Progress:
    """The bar on the run's page, in per cent.

    Args:
        run: The run.
        flow: The flow's name.
    """

    def __init__(self, run: ClaimRun, flow: str) -> None:
        key = artifact_key("claims-progress", run.settings)
        self._artifact = cast(UUID, create_progress_artifact(0.0, key=key, description=flow))

    def reach(self, percent: float) -> None:
        """Move the bar."""
        update_progress_artifact(self._artifact, percent)


def send_due_claims(run: ClaimRun, progress: Progress, *, begin: float, end: float) -> MophClaimError | None:
    """See to it that there is room, log in, send chunk after chunk, and wait for the last answers.

    Args:
        run: The run.
        progress: Its bar.
        begin: Where the bar is, in per cent.
        end: Where it is when all is sent.

    Returns:
        Why it failed, if it did.
    """
    total, to_ask = run.count_due(), list(run.chunks_to_ask())
    log(run, Message(f"มีรายการที่ต้องส่ง {total} รายการ", f"{total} claims are due"))
    if not total and not to_ask:
        return None
    # A sending thread calls this, outside of Prefect's context: the logger is taken along.
    logger, language = get_run_logger(), run.settings.language
    run.on_pause = lambda message: logger.warning("%s", message.say(language))
    try:
        run.make_room(total + sum(map(len, to_ask)))
        run.log_in()
    except MophClaimError as error:
        return error
    number = 0
    # First what is only asked about: what was not accepted then goes as its source has it now.
    for chunk in to_ask:
        number += 1
        if failure := attempt(send_chunk, run, number, quote(chunk)) or attempt(await_last_answers, run):
            return failure
    while chunk := run.next_chunk():
        number += 1
        # Quoted: Prefect would walk the list for futures.
        failure = attempt(send_chunk, run, number, quote(chunk))
        progress.reach(begin + (end - begin) * min(1.0, _log_answered(run, total)))
        if failure:
            return failure
    failure = attempt(await_last_answers, run)
    if not failure:
        _log_answered(run, total)
    if shared := run.looks_shared:
        logger.warning("%s", shared.say(language))
    return failure


def _log_answered(run: ClaimRun, total: int) -> float:
    sent = run.sent.total()
    log(run, Message(f"ได้คำตอบแล้ว {sent}/{total}", f"{sent} of {total} answered"))
    return sent / total if total else 1.0


def artifact_key(name: str, settings: Settings) -> str:
    """An artifact's key, under which the pages show the last one: each of several facilities has its own."""
    return "-".join(filter(None, [name, settings.facility_key.replace("_", "-")]))


def publish_report(
    run: ClaimRun, report: Report, progress: Progress, write_beside: Callable[[Path], None] | None = None
) -> None:
    """Show the report on the run's page and save it in the reports folder, perhaps with a workbook beside it."""
    key = artifact_key("claims-report", run.settings)
    create_markdown_artifact(report.markdown(), key=key, description=report.title)
    path = report.save(run.settings.reports_folder())
    log(run, Message(f"รายงานอยู่ที่ {path}", f"The report lies at {path}"))
    if write_beside:
        try:
            write_beside(path.with_suffix(".xlsx"))
        except MophClaimError as error:  # the run has done its work all the same
            get_run_logger().warning("%s", error.message.say(run.settings.language))
    if n := remove_old_files(run.settings):
        days = run.settings.privacy.keep_files_days
        log(run, Message(f"ลบไฟล์ผลที่เก่ากว่า {days} วัน {n} ไฟล์", f"{n} workbooks older than {days} days were removed"))
    progress.reach(100.0)


def run_flow_body(
    model: type[P],
    values: dict[str, Any],
    open_run: Callable[[Settings, P, OnWait], AbstractContextManager[R]],
    work: Callable[[R], RunResult],
    success: Callable[[R], Message],
) -> PrefectState[Any]:
    """The body of a flow: whatever goes wrong in it is one sentence in the run's state.

    Args:
        model: The flow's parameters.
        values: These, as they came.
        open_run: Opens what the run needs, holding the facility.
        work: Does it, and reports.
        success: The sentence when all went well.

    Returns:
        The flow's state; its data is the `RunResult`.
    """
    language: Language | None = None
    try:
        settings = read_settings()
        language = settings.language
        parameters = model.checked(**values)
        opened = open_run(settings.of(parameters.facility), parameters, log_waiting)
    except Exception as error:
        return failed_state(RunResult(None, as_failure(error)), language)
    return run_to_state(opened, work, success, language)


def run_to_state(
    opened: AbstractContextManager[R],
    work: Callable[[R], RunResult],
    success: Callable[[R], Message],
    language: Language,
) -> PrefectState[Any]:
    """A run from its opening to the state it ends in; as `run_flow_body`."""
    result = RunResult(None, None)
    try:
        with opened as run:
            result = work(run)
            if result.failure:
                raise result.failure
    except Exception as error:
        return failed_state(RunResult(result.report, as_failure(error)), language)
    return Completed(message=success(run).say(language), data=result)


def log_waiting(other: str) -> None:
    """Say in the run's log which run of the facility it waits for."""
    get_run_logger().warning("waiting for run %s", other)


def failed_state(result: RunResult, language: Language | None = None) -> PrefectState[Any]:
    """The state of a flow that an error has stopped: its sentence, in both languages where none is known."""
    sentence = as_discreet(result.failure) if result.failure else Message("", "")
    words = sentence.say(language) if language else str(sentence)
    get_run_logger().error("%s", words)
    return Failed(message=words, data=result)


def run_in_process(flow: Flow[..., Any], parameters: dict[str, Any]) -> RunResult:
    """Run a flow in this process.

    Args:
        flow: The flow.
        parameters: Its parameters.
    """
    state = cast("PrefectState[Any]", flow(**parameters, return_state=True))
    result = state.result(raise_on_failure=False)
    if isinstance(result, RunResult):
        return result
    return RunResult(None, _unknown(state))


def sent_by_state(run: ClaimRun) -> str:
    """The claims sent by state, as "accepted 12, held 3"."""
    return ", ".join(f"{state} {n}" for state, n in sorted(run.sent.items())) or "0"


def log(run: ClaimRun, message: Message) -> None:
    """A line in the run's log, in the settings' language."""
    get_run_logger().info("%s", message.say(run.settings.language))
