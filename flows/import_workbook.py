"""`import-workbook`: the claims of workbooks, from the inbox or by hand; the same rules, ledger and audit as at night.

A file may be named after a person: no state, log or artifact names it, only its result and the command's own screen do.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState
from prefect.states import Completed, Failed

from core.errors import as_sentence
from core.messages import Language, Message
from extract.errors import WorkbookError
from extract.workbook.file import shown
from flows.inbox.folder import End, Inbox, reserved_result
from flows.parameters import ChunkSize, Concurrency, make_importing
from flows.reports.import_report import report_import, write_answers, write_refusal
from flows.reports.report import Report
from flows.reports.row_outcomes import answers
from flows.runs.import_workbook import Import, open_import
from flows.settings.settings import Settings, read_settings
from flows.tasks import (
    Progress,
    as_failed_state,
    failed,
    log,
    publish,
    report_of,
    run_flow_body,
    send_what_is_due,
    sent_words,
)

FLOW = "import-workbook"

LEFT = Message(
    "{n} ไฟล์ใน inbox ย้ายหรือเปิดไม่ได้ จึงยังไม่ได้นำเข้า กรุณาตรวจสิทธิ์ของไฟล์และโฟลเดอร์",
    "{n} files in the inbox cannot be moved or opened and were not imported: check the rights of the files and the folder.",
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
class Place:
    """Where the result of an import goes.

    Args:
        lay_down: Told how the import ended and what writes the result.
        full: What it is called to who has the file.
        discreet: What it is called where it is logged.
    """

    lay_down: Callable[[End, Callable[[Path], None]], None]
    full: Message
    discreet: Message


@dataclass(frozen=True, slots=True)
class Ended:
    """How the import of a file ended.

    Args:
        state: As the orchestrator is told.
        failure: The whole sentence it failed with, if it did.
    """

    state: PrefectState[Any]
    failure: str | None


@task(name="make claims", task_run_name="make claims", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def make_claims(shift: Import) -> None:
    """Turn the workbook's rows into claims and issues, and write both down."""
    shift.make_claims()
    rows, claims = len(shift.reading.rows), len(shift.claims)
    log(shift, Message(f"{rows} แถว เป็นรายการเบิก {claims} รายการ", f"{rows} rows, {claims} claims"))


# Prefect's own check of the parameters logs what was given and raises; the flow checks them and says one sentence.
@flow(name=FLOW, persist_result=False, retries=0, validate_parameters=False)
def import_workbook(
    file: str = "",
    dry_run: bool = False,
    chunk_size: ChunkSize = 500,
    concurrency: Concurrency = 16,
    facility: str = "",
) -> PrefectState[Any]:
    """Send the claims of workbooks that lie in the inbox folder; each file ends in `done` or `failed` beside its result.

    Args:
        file: ไฟล์ในโฟลเดอร์ inbox เช่น school/oct.xlsx (ว่าง = ทุกไฟล์ที่รออยู่) / A file in the inbox, such as school/oct.xlsx; empty: all.
        dry_run: ทดลอง ไม่ส่งจริง / Read and check everything, send nothing.
        chunk_size: จำนวนรายการต่อชุด 1-2000 / Claims one task sends, 1-2000.
        concurrency: จำนวนที่ส่งพร้อมกัน 1-64 / Claims under way at the same time, 1-64.
        facility: หน่วยบริการใด เมื่อตั้งไว้หลายหน่วย / Which facility, where the configuration has several.
    """
    asked = {"dry_run": dry_run, "chunk_size": chunk_size, "concurrency": concurrency}
    try:
        make_importing(**asked)
        return _from_inbox(file, asked, facility)
    except Exception as error:
        return failed(error)


def _from_inbox(file: str, asked: dict[str, Any], facility: str) -> PrefectState[Any]:
    settings = read_settings().of(facility)
    inbox = Inbox(settings.inbox_folder(), settings.inbox.settle_seconds)
    states: list[PrefectState[Any]] = []
    left = 0
    for path in [inbox.named(file)] if file else inbox.waiting():
        try:
            with inbox.take(path) as taken:
                if taken:
                    states.append(_import_taken(inbox, taken, asked, settings))
        except OSError:
            left += 1
    return _together(states, left, settings.language)


def _import_taken(inbox: Inbox, taken: Path, asked: dict[str, Any], settings: Settings) -> PrefectState[Any]:
    """Import a file of the inbox and lay it down; nothing about it keeps the others from going.

    Raises:
        OSError: It stays where it is.
    """
    place = Place(partial(inbox.finish, taken), IN_INBOX, IN_INBOX)
    ended = _import(taken, asked, place, settings.facility_key)
    if taken.exists():
        # It could not be read, or what came of it could not be written.
        refuse = partial(write_refusal, settings=settings, name=shown(taken.name), sentence=ended.failure or "")
        try:
            inbox.finish(taken, "failed", refuse)
        except Exception as error:
            get_run_logger().error("%s", _unwritten(error, IN_INBOX, IN_INBOX).discreet.say(settings.language))
            inbox.finish(taken, "failed", None)
    return ended.state


def _together(states: list[PrefectState[Any]], left: int, language: Language) -> PrefectState[Any]:
    """How a run over several files ended: as its files did."""
    if len(states) == 1 and not left:
        return states[0]
    bad = [state.message or "" for state in states if state.is_failed()]
    k, n = len(bad) + left, len(states) + left
    if left:
        bad.append(LEFT.fill(n=left).say(language))
        get_run_logger().error("%s", bad[-1])
    if bad:
        count = Message(f"ไม่สำเร็จ {k}/{n} ไฟล์: ", f"{k}/{n} files failed: ").say(language)
        return Failed(message=count + " · ".join(dict.fromkeys(bad)))
    nothing = Message("ไม่มีไฟล์รออยู่", "No file waits.")
    done = Message(f"นำเข้าแล้ว {n} ไฟล์", f"{n} files imported.")
    return Completed(message=(done if states else nothing).say(language))


def _import(path: Path, asked: dict[str, Any], place: Place, facility: str) -> Ended:
    """One file: its claims are sent and its result is laid down; where it cannot be read, it is said why."""
    failures: list[str] = []

    @contextmanager
    def begin(settings: Settings, on_wait: Callable[[str], None]) -> Iterator[Import]:
        try:
            with open_import(settings, path, shown(path.name), make_importing(**asked), FLOW, on_wait) as shift:
                yield shift
        except Exception as error:
            failures.append(as_sentence(error).say(settings.language))
            raise

    def work(shift: Import) -> Report:
        progress = Progress(shift, FLOW)
        make_claims(shift, return_state=True)
        progress.reach(30.0)
        if not shift.failure and not shift.wish.dry_run:
            send_what_is_due(shift, progress, begin=30.0, end=95.0)
        found = answers(shift)
        unwritten = _lay_down(shift, place, partial(write_answers, shift=shift, found=found, source=path))
        report = report_import(shift, found, also=[unwritten.discreet] if unwritten else [])
        shift.failure = shift.failure or unwritten
        return publish(shift, report, progress)

    state = run_flow_body(begin, work, _ended, facility)
    return Ended(state, (failures[0] if failures else state.message) if state.is_failed() else None)


def _lay_down(shift: Import, place: Place, write: Callable[[Path], None]) -> WorkbookError | None:
    """Lay the result down; where that fails the claims are sent all the same, and what came of them must be said."""
    try:
        place.lay_down("failed" if shift.failure else "done", write)
    except Exception as error:
        return _unwritten(error, place.full, place.discreet)
    return None


def _unwritten(error: Exception, full: Message, discreet: Message) -> WorkbookError:
    # What the room of workbooks says names the file; the system's reason lies behind it.
    reason = error if isinstance(error, OSError) else error.__context__
    why = (reason.strerror if isinstance(reason, OSError) else None) or type(error).__name__
    as_failed_state = [
        Message(UNWRITTEN.th.format(place=p.th, why=why), UNWRITTEN.en.format(place=p.en, why=why))
        for p in (full, discreet)
    ]
    return WorkbookError(*as_failed_state)


def run_and_report(parameters: dict[str, Any]) -> tuple[Report | None, str | None]:
    """Import one file by hand, in this process, from wherever it lies; its result is laid beside it.

    Args:
        parameters: `path`, and those of the flow but for the file. None of them is told to the orchestrator.

    Returns:
        The report, with where the result lies; and the sentence it failed with, if it did.
    """
    asked = {"chunk_size": 500, "concurrency": 16, "facility": "", **parameters}
    path, facility = Path(asked.pop("path")), asked.pop("facility")
    with ExitStack() as stack:
        try:
            result = stack.enter_context(reserved_result(path))
        except OSError as error:
            no_room = NO_ROOM.fill(folder=shown(str(path.parent.absolute())), why=error.strerror)
            return None, no_room.say(read_settings().language)
        report, failure = _by_hand(path, asked, result, facility)
        if report is not None and result.exists() and result.stat().st_size:
            report = replace(report, body=f"{report.body}\n\n**{shown(str(result))}**")
        return report, failure


def _by_hand(path: Path, asked: dict[str, Any], result: Path, facility: str = "") -> tuple[Report | None, str | None]:
    ends: list[Ended] = []
    named = shown(str(result))
    place = Place(lambda _, write: write(result), Message(named, named), BESIDE)

    @flow(name=FLOW, persist_result=False, retries=0)
    def by_hand() -> PrefectState[Any]:
        ends.append(_import(path, asked, place, facility))
        return ends[-1].state

    report, failure = report_of(by_hand, {})
    return report, (ends[-1].failure if ends else None) or failure


def _ended(shift: Import) -> Message:
    if shift.before:
        return Message("เคยนำเข้าไฟล์นี้แล้ว ไม่ได้ส่งอะไร", "This file was imported before: nothing was sent.")
    if shift.wish.dry_run:
        n = shift.run_counts.would_send
        return Message(f"ทดลองเสร็จ จะส่ง {n} รายการ", f"Dry run: {n} claims would be sent.")
    sent = sent_words(shift)
    return Message(f"เสร็จ ส่งแล้ว: {sent}", f"Done. Sent: {sent}")
