"""`import-workbook`: the claims of workbooks, from the inbox or by hand; the same rules, ledger and audit as at night.

A file may be named after a person: no state, log or artifact names it, only its result and the command's own screen do.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState
from prefect.states import Completed, Failed

from core.errors import MophClaimError
from core.messages import Language, Message
from core.text import escape_markdown
from extract.errors import WorkbookError
from extract.workbook.file import shown
from flows.inbox.folder import End, Inbox, reserved_result
from flows.parameters import ImportParameters, takes
from flows.reports.import_report import report_import_run
from flows.reports.import_result import write_refusal, write_row_outcomes
from flows.reports.row_outcomes import row_outcomes
from flows.runs.import_workbook import ImportRun, open_import_run
from flows.settings.model import Settings
from flows.settings.read import read_settings
from flows.tasks import (
    Progress,
    RunResult,
    as_failed_state,
    as_failure,
    attempt,
    failed_state,
    log,
    log_waiting,
    publish_report,
    run_in_process,
    run_to_state,
    send_due_claims,
    sent_by_state,
)
from load.workbook.result_content import RowOutcome
from load.workbook_rows import FLOW

LEFT = Message(
    "{n} ไฟล์ใน inbox ย้ายหรือเปิดไม่ได้ จึงยังไม่ได้นำเข้า กรุณาตรวจสิทธิ์ของไฟล์และโฟลเดอร์",
    "{n} files in the inbox cannot be moved or opened and were not imported: check the rights of the files and the folder.",
)
OTHER_FILES = Message(
    "{n} ไฟล์ใน inbox ไม่ใช่ไฟล์ Excel, .ods หรือ .csv จึงไม่ได้แตะต้อง",
    "{n} files in the inbox are no workbooks and stay where they are.",
)
NO_ROOM = Message(
    "เขียนไฟล์ผลลงในโฟลเดอร์ {folder} ไม่ได้ ({why}) จึงยังไม่ได้ส่งอะไร กรุณาแก้สิทธิ์ของโฟลเดอร์ หรือคัดลอกไฟล์ไปไว้ที่อื่นแล้วนำเข้าใหม่",
    "The result cannot be written to the folder {folder} ({why}), so nothing was sent: mend the folder's rights, or copy the "
    "file elsewhere and import it there.",
)
UNWRITTEN = Message(
    "ดำเนินการกับรายการเบิกแล้ว แต่เขียนไฟล์ผล {place} ไม่ได้ ({why}) ผลของทุกรายการอยู่ใน audit แล้ว กรุณาตรวจสิทธิ์และพื้นที่ดิสก์ "
    "แล้วนำเข้าไฟล์เดิมอีกครั้งเพื่อให้ได้ไฟล์ผล รายการที่รับแล้วจะไม่ถูกส่งซ้ำ",
    "The claims were seen to, but the result {place} could not be written ({why}); what became of each stands in the audit. "
    "Check rights and disk space, and import the same file again for its result: what was taken is not sent again.",
)
BESIDE = Message("ที่ควรอยู่ข้างไฟล์ที่นำเข้า", "that belongs beside the imported file")
IN_INBOX = Message("ที่ควรอยู่ใน inbox/done", "that belongs into inbox/done")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the result of an import goes.

    Args:
        save: Called with how the import ended and with what writes the result.
        name: What it is called to who has the file.
        discreet_name: What it is called where it is logged.
    """

    save: Callable[[End, Callable[[Path], None]], None]
    name: Message
    discreet_name: Message


@task(name="make claims", task_run_name="make claims", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def make_claims(run: ImportRun) -> None:
    """Turn the workbook's rows into claims and issues, and write both down."""
    run.make_claims()
    rows, claims = len(run.reading.rows), len(run.claims)
    log(run, Message(f"{rows} แถว เป็นรายการเบิก {claims} รายการ", f"{rows} rows, {claims} claims"))


# Prefect's own check of the parameters logs what was given and raises; the flow checks them and says one sentence.
@flow(name=FLOW, persist_result=False, retries=0, validate_parameters=False)
@takes(ImportParameters)
def import_workbook(**parameters: Any) -> PrefectState[Any]:
    """Send the claims of workbooks that lie in the inbox folder; each file ends in `done` or `failed` beside its result."""
    try:
        return _import_inbox(ImportParameters.checked(**parameters))
    except Exception as error:
        return failed_state(RunResult(None, as_failure(error)))


def import_in_process(path: Path, **parameters: Any) -> RunResult:
    """Import one file by hand, in this process, from wherever it lies; its result is laid beside it.

    Args:
        path: The file. Prefect learns neither this nor the parameters.
        parameters: Those of the flow but for the file.

    Returns:
        The report, with where the result lies; and why it failed, if it did.
    """
    with ExitStack() as stack:
        try:
            result_file = stack.enter_context(reserved_result(path))
        except OSError as error:
            folder = shown(str(path.parent.absolute()))
            return RunResult(None, MophClaimError(NO_ROOM.fill(folder=folder, why=error.strerror)))
        result = _import_by_hand(path, ImportParameters.checked(**parameters), result_file)
        if result.report is not None and result_file.exists() and result_file.stat().st_size:
            report = replace(result.report, body=f"{result.report.body}\n\n**{escape_markdown(str(result_file))}**")
            return replace(result, report=report)
        return result


def _import_by_hand(path: Path, parameters: ImportParameters, result_file: Path) -> RunResult:
    named = shown(str(result_file))
    destination = Destination(lambda _, write: write(result_file), Message(named, named), BESIDE)
    settings = read_settings().of(parameters.facility)

    @flow(name=FLOW, persist_result=False, retries=0)
    def by_hand() -> PrefectState[Any]:
        return _import_file(settings, path, parameters, destination)

    return run_in_process(by_hand, {})


def _import_inbox(parameters: ImportParameters) -> PrefectState[Any]:
    settings = read_settings().of(parameters.facility)
    inbox = Inbox(settings.inbox_folder(), settings.inbox.settle_seconds)
    states: list[PrefectState[Any]] = []
    left = 0
    if n := inbox.other_files():
        get_run_logger().warning("%s", OTHER_FILES.fill(n=n).say(settings.language))
    for path in [inbox.named(parameters.file)] if parameters.file else inbox.waiting():
        try:
            with inbox.take(path) as taken:
                if taken:
                    states.append(_import_taken(settings, inbox, taken, parameters))
        except OSError:
            left += 1
    return _combined(states, left, settings.language)


def _import_taken(settings: Settings, inbox: Inbox, taken: Path, parameters: ImportParameters) -> PrefectState[Any]:
    """Import a file of the inbox and put it where it belongs; nothing about it keeps the others from being imported.

    Raises:
        OSError: It stays where it is.
    """
    state = _import_file(settings, taken, parameters, Destination(partial(inbox.finish, taken), IN_INBOX, IN_INBOX))
    if taken.exists():
        # It could not be read, or its result could not be written.
        result = cast(RunResult, state.result(raise_on_failure=False))
        sentence = result.failure.message.say(settings.language) if result.failure else ""
        refuse = partial(write_refusal, settings=settings, name=shown(taken.name), sentence=sentence)
        try:
            inbox.finish(taken, "failed", refuse)
        except Exception as error:
            get_run_logger().error("%s", _unwritten(error, IN_INBOX, IN_INBOX).discreet.say(settings.language))
            inbox.finish(taken, "failed", None)
    return state


def _combined(states: list[PrefectState[Any]], left: int, language: Language) -> PrefectState[Any]:
    """The state of a run over several files: failed where one of them is."""
    if len(states) == 1 and not left:
        return states[0]
    failed = [state.message or "" for state in states if state.is_failed()]
    k, n = len(failed) + left, len(states) + left
    if left:
        failed.append(LEFT.fill(n=left).say(language))
        get_run_logger().error("%s", failed[-1])
    if failed:
        count = Message(f"ไม่สำเร็จ {k}/{n} ไฟล์: ", f"{k}/{n} files failed: ").say(language)
        return Failed(message=count + " · ".join(dict.fromkeys(failed)))
    nothing = Message("ไม่มีไฟล์รออยู่", "No file waits.")
    done = Message(f"นำเข้าแล้ว {n} ไฟล์", f"{n} files imported.")
    return Completed(message=(done if states else nothing).say(language))


def _import_file(
    settings: Settings, path: Path, parameters: ImportParameters, destination: Destination
) -> PrefectState[Any]:
    """One file: its claims are sent and its result is saved; where it cannot be read, the state says why."""
    opened = open_import_run(settings, path, shown(path.name), parameters, log_waiting)
    return run_to_state(opened, partial(_import, source=path, destination=destination), _success, settings.language)


def _import(run: ImportRun, source: Path, destination: Destination) -> RunResult:
    progress = Progress(run, FLOW)
    failure = attempt(make_claims, run)
    progress.reach(30.0)
    if run.sends and not failure:
        failure = send_due_claims(run, progress, begin=30.0, end=95.0)
    outcomes = row_outcomes(run, failure)
    unwritten = _save_result(run, outcomes, failure, source, destination)
    report = report_import_run(run, outcomes, failure, also=[unwritten.discreet] if unwritten else [])
    publish_report(run, report, progress)
    return RunResult(report, failure or unwritten)


def _save_result(
    run: ImportRun, outcomes: list[RowOutcome], failure: MophClaimError | None, source: Path, destination: Destination
) -> WorkbookError | None:
    """Save the result workbook; where that fails the claims were sent all the same, and that must be said."""
    write = partial(write_row_outcomes, run=run, outcomes=outcomes, failure=failure, source=source)
    try:
        destination.save("failed" if failure else "done", write)
    except Exception as error:
        return _unwritten(error, destination.name, destination.discreet_name)
    return None


def _unwritten(error: Exception, name: Message, discreet_name: Message) -> WorkbookError:
    # The writers of workbooks name the file in their sentence; the system's reason is the error behind it.
    reason = error if isinstance(error, OSError) else error.__context__
    why = (reason.strerror if isinstance(reason, OSError) else None) or type(error).__name__
    sentences = [
        Message(UNWRITTEN.th.format(place=n.th, why=why), UNWRITTEN.en.format(place=n.en, why=why))
        for n in (name, discreet_name)
    ]
    return WorkbookError(*sentences)


def _success(run: ImportRun) -> Message:
    if run.imported_before:
        return Message("เคยนำเข้าไฟล์นี้แล้ว ไม่ได้ส่งอะไร", "This file was imported before: nothing was sent.")
    if not run.sends:
        n = run.registrar.counts.would_send
        return Message(f"ทดลองเสร็จ จะส่ง {n} รายการ", f"Dry run: {n} claims would be sent.")
    sent = sent_by_state(run)
    return Message(f"เสร็จ ส่งแล้ว: {sent}", f"Done. Sent: {sent}")
