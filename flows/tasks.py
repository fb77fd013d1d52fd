"""What the flows of claims share: their tasks, their progress, and how they end.

`submit_claims` and `reconcile` are flows, as Prefect sees them; what they do is in `night` and `morning`, which know
nothing of Prefect; what these share is in `shift`, what the flows share is here.

A task is a day's extract, a day's transform, or a chunk. Data never passes through Prefect: tasks are given the `Shift`
and give back nothing, for whatever they return is kept for the length of the run, and whatever they raise is written to
disk. So a failure is a state with a sentence, and the shift remembers the reason.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect import Flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState
from prefect.states import Completed, Failed

from core.errors import MophClaimError, as_discreet, as_sentence
from core.messages import Language, Message
from flows.reports.report import Report
from flows.runs.claim_run import S, Shift
from flows.settings.settings import Settings, read_settings

OnWait = Callable[[str], None]


def as_failed_state(step: Callable[..., None]) -> Callable[..., PrefectState[Any] | None]:
    """A step that fails ends in a state with its sentence; the shift keeps the reason, nothing is raised."""

    @wraps(step)
    def guarded(shift: Shift, *args: Any, **kwargs: Any) -> PrefectState[Any] | None:
        try:
            step(shift, *args, **kwargs)
        except MophClaimError as error:
            shift.failure = error
        except Exception as error:
            shift.failure = MophClaimError(as_sentence(error))
        else:
            return None
        return Failed(message=shift.failure.discreet.say(shift.settings.language))

    return guarded


class Opaque:
    """A list that a task is given, opaque to the orchestrator: it would walk it for futures."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items


@task(name="send chunk", task_run_name="send chunk {number}", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def send_chunk(shift: Shift, number: int, chunk: Opaque) -> None:
    """Send a few hundred claims over a handful of connections; ends when the connections want the next chunk."""
    shift.send_chunk(number, chunk.items)


@task(name="last answers", task_run_name="last answers", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def await_last_answers(shift: Shift) -> None:
    """Wait for the answers still to come, and write them down."""
    shift.finish_sending()


class Progress:
    """The bar on the run's page, in per cent.

    Args:
        shift: The run.
        flow: The flow's name.
    """

    def __init__(self, shift: Shift, flow: str) -> None:
        key = artifact_key("claims-progress", shift.settings)
        self._artifact = cast(UUID, create_progress_artifact(0.0, key=key, description=flow))

    def reach(self, percent: float) -> None:
        """Move the bar."""
        update_progress_artifact(self._artifact, percent)


def send_what_is_due(shift: Shift, progress: Progress, *, begin: float, end: float) -> None:
    """Log in, send chunk after chunk, and wait for the last answers; the shift keeps the reason where that fails.

    Args:
        shift: The run.
        progress: Its bar.
        begin: Where the bar stands, in per cent.
        end: Where it stands when all is sent.
    """
    total = shift.count_due()
    log(shift, Message(f"มีรายการที่ต้องส่ง {total} รายการ", f"{total} claims are due"))
    if not total:
        return
    # A sending thread tells this, and knows of no run: the logger is taken along.
    logger, language = get_run_logger(), shift.settings.language
    shift.tell = lambda message: logger.warning("%s", message.say(language))
    try:
        shift.log_in()
    except MophClaimError as error:
        shift.failure = error
        return
    number = 0
    while not shift.failure and (chunk := shift.next_chunk()):
        number += 1
        send_chunk(shift, number, Opaque(chunk), return_state=True)
        progress.reach(begin + (end - begin) * min(1.0, _answered(shift, total)))
    if not shift.failure:
        await_last_answers(shift, return_state=True)
        _answered(shift, total)


def _answered(shift: Shift, total: int) -> float:
    sent = shift.sent.total()
    log(shift, Message(f"ได้คำตอบแล้ว {sent}/{total}", f"{sent} of {total} answered"))
    return sent / total


def artifact_key(of: str, settings: Settings) -> str:
    """An artifact's key, under which the pages show the last one: each of several facilities has its own."""
    return "-".join(filter(None, [of, settings.facility_key.replace("_", "-")]))


def publish(
    shift: Shift, report: Report, progress: Progress, write_beside: Callable[[Path], None] | None = None
) -> Report:
    """Show the report on the run's page and lay it into the reports folder, perhaps with a workbook beside it."""
    key = artifact_key("claims-report", shift.settings)
    create_markdown_artifact(report.markdown(), key=key, description=report.title)
    path = report.save(shift.settings.reports_folder())
    log(shift, Message(f"รายงานอยู่ที่ {path}", f"The report lies at {path}"))
    if write_beside:
        try:
            write_beside(path.with_suffix(".xlsx"))
        except MophClaimError as error:  # the run has done its work all the same
            get_run_logger().warning("%s", error.message.say(shift.settings.language))
    progress.reach(100.0)
    return report


def run_flow_body(
    begin: Callable[[Settings, OnWait], AbstractContextManager[S]],
    work: Callable[[S], Report],
    ended: Callable[[S], Message],
    facility: str = "",
) -> PrefectState[Any]:
    """The body of a flow: whatever goes wrong in it is one sentence in the run's state.

    Args:
        begin: Opens what the run needs, holding the facility; told whom it waits for.
        work: Does it, and reports.
        ended: What to say when all went well.
        facility: Which of the configuration's facilities it is for, as the flow was told.
    """
    report: Report | None = None
    language: Language | None = None
    logger = get_run_logger()
    try:
        of_all = read_settings()
        language = of_all.language
        with begin(of_all.of(facility), lambda other: logger.warning("waiting for run %s", other)) as shift:
            report = work(shift)
            if shift.failure:
                raise shift.failure
    except Exception as error:
        return failed(error, language, report)
    return Completed(message=ended(shift).say(language), data=report)


def failed(error: Exception, language: Language | None = None, report: Report | None = None) -> PrefectState[Any]:
    """The end of a flow that an error has stopped: its sentence, in both languages where none is known."""
    sentence = as_discreet(error)
    words = sentence.say(language) if language else str(sentence)
    get_run_logger().error("%s", words)
    return Failed(message=words, data=report)


def report_of(flow: Flow[..., Any], parameters: dict[str, Any]) -> tuple[Report | None, str | None]:
    """Run a flow in this process.

    Args:
        flow: The flow.
        parameters: Its parameters.

    Returns:
        The report, if the run came that far; and the sentence it failed with, if it did.
    """
    state = cast("PrefectState[Any]", flow(**parameters, return_state=True))
    report = state.result(raise_on_failure=False)
    return report if isinstance(report, Report) else None, state.message if state.is_failed() else None


def sent_words(shift: Shift) -> str:
    """Where the claims sent stand, as "accepted 12, held 3"."""
    return ", ".join(f"{state} {n}" for state, n in sorted(shift.sent.items())) or "0"


def log(shift: Shift, message: Message) -> None:
    """A line in the run's log, in the settings' language."""
    get_run_logger().info("%s", message.say(shift.settings.language))
