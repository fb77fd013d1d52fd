"""`submit-claims`: the nightly run, and the same by hand with other parameters.

A task is a day's extract, a day's transform, or a chunk. Data never passes through Prefect: tasks are given the
`Night` and give back nothing, for whatever they return is kept for the length of the run, and whatever they raise is
written to disk. So a failure is a state with a sentence, and the night remembers the reason.
"""

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any, Literal, cast
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState
from prefect.states import Completed, Failed

from extract.errors import MophClaimError, as_sentence
from extract.messages import Language, Message
from flows.night import Night, open_night
from flows.report import Report, make_report
from flows.settings import read_settings
from flows.wish import ChunkSize, Concurrency, SendChoice, make_wish
from load.ledger import DueClaim
from transform.claim import KINDS

FLOW = "submit-claims"


def _said(step: Callable[..., None]) -> Callable[..., PrefectState[Any] | None]:
    """A step that fails ends in a state with its sentence; the night keeps the reason, nothing is raised."""

    @wraps(step)
    def guarded(night: Night, *args: Any, **kwargs: Any) -> PrefectState[Any] | None:
        try:
            step(night, *args, **kwargs)
        except MophClaimError as error:
            night.failure = error
        except Exception as error:
            night.failure = MophClaimError(as_sentence(error))
        else:
            return None
        return Failed(message=night.failure.message.say(night.settings.language))

    return guarded


class _Chunk:
    """The claims of a chunk, opaque to the orchestrator: it would walk a list for futures."""

    def __init__(self, claims: list[DueClaim]) -> None:
        self.claims = claims


@task(name="extract day", task_run_name="extract {day}", cache_policy=NO_CACHE, persist_result=False)
@_said
def extract_day(night: Night, day: date) -> None:
    """Read one service day from the hospital database."""
    visits = night.extract_day(day)
    _log(night, Message(f"{day}: อ่านแล้ว {visits} ครั้งบริการ", f"{day}: {visits} visits read"))


@task(name="transform day", task_run_name="transform {day}", cache_policy=NO_CACHE, persist_result=False)
@_said
def transform_day(night: Night, day: date) -> None:
    """Turn the day's records into claims and issues, and write both down."""
    counts = night.transform_day()
    made = ", ".join(f"{what} {n}" for what, n in sorted(counts.items())) or "0"
    _log(night, Message(f"{day}: รายการเบิก {made}", f"{day}: claims {made}"))


@task(name="send chunk", task_run_name="send chunk {number}", cache_policy=NO_CACHE, persist_result=False)
@_said
def send_chunk(night: Night, number: int, chunk: _Chunk) -> None:
    """Send a few hundred claims over a handful of connections; ends when the connections want the next chunk."""
    night.send_chunk(number, chunk.claims)


@task(name="last answers", task_run_name="last answers", cache_policy=NO_CACHE, persist_result=False)
@_said
def await_last_answers(night: Night) -> None:
    """Wait for the answers still to come, and write them down."""
    night.finish_sending()


# Prefect's own check of the parameters logs what was given and raises; the flow checks them and says one sentence.
@flow(name=FLOW, persist_result=False, retries=0, validate_parameters=False)
def submit_claims(
    date_from: date | None = None,
    date_to: date | None = None,
    kinds: list[Literal["dm", "ht", "epi", "dt"]] = list(KINDS),  # noqa: B006 - read only; Prefect shows it as the default
    send: SendChoice = "new and due",
    dry_run: bool = False,
    chunk_size: ChunkSize = 500,
    concurrency: Concurrency = 16,
) -> PrefectState[Any]:
    """Send the claims of some days to MOPH Claim, each exactly once.

    Args:
        date_from: วันที่รับบริการวันแรก (ว่าง = 7 วันย้อนหลัง) / First service day; empty: seven days back.
        date_to: วันที่รับบริการวันสุดท้าย (ว่าง = เมื่อวาน) / Last service day; empty: yesterday.
        kinds: ประเภทที่จะส่ง / Kinds of claims: dm, ht (DMHT), epi, dt.
        send: ส่งรายการใด / What to send: new and due, only failed (also refused ones as they are), everything again (dry run only).
        dry_run: ทดลอง ไม่ส่งจริง / Read and check everything, send nothing.
        chunk_size: จำนวนรายการต่อชุด 1-2000 / Claims one task sends, 1-2000.
        concurrency: จำนวนที่ส่งพร้อมกัน 1-64 / Claims under way at the same time, 1-64.
    """
    report: Report | None = None
    language: Language | None = None
    logger = get_run_logger()
    try:
        settings = read_settings()
        language = settings.language
        wish = make_wish(
            date_from=date_from,
            date_to=date_to,
            kinds=kinds,
            send=send,
            dry_run=dry_run,
            chunk_size=chunk_size,
            concurrency=concurrency,
        )
        with open_night(settings, wish, FLOW, lambda other: logger.warning("waiting for run %s", other)) as night:
            report = _run(night)
            if night.failure:
                raise night.failure
    except Exception as error:
        sentence = as_sentence(error)
        said = sentence.say(language) if language else str(sentence)
        logger.error("%s", said)
        return Failed(message=said, data=report)
    return Completed(message=_ended(night).say(language), data=report)


def run_and_report(parameters: dict[str, Any]) -> tuple[Report | None, str | None]:
    """Run the flow in this process.

    Args:
        parameters: Those of `submit_claims`.

    Returns:
        The report, if the run came that far; and the sentence it failed with, if it did.
    """
    state = submit_claims(**parameters, return_state=True)
    report = state.result(raise_on_failure=False)
    return report if isinstance(report, Report) else None, state.message if state.is_failed() else None


class _Progress:
    """The bar on the run's page, in per cent: reading is its first half, sending its second."""

    def __init__(self) -> None:
        self._artifact = cast(UUID, create_progress_artifact(0.0, key="claims-progress", description=FLOW))

    def reach(self, percent: float) -> None:
        """Move the bar."""
        update_progress_artifact(self._artifact, percent)


def _run(night: Night) -> Report:
    """Read every day, then send what is due; whatever went wrong, what went right stands and is reported."""
    progress = _Progress()
    days = night.wish.days
    for n, day in enumerate(days, start=1):
        extract_day(night, day, return_state=True)
        if night.failure:
            break
        transform_day(night, day, return_state=True)
        if night.failure:
            break
        progress.reach(50.0 * n / len(days))
    # Days read before the HIS went away are whole: their claims still go.
    failure, night.failure = night.failure, None
    if not night.wish.dry_run:
        _send(night, progress)
    night.failure = failure or night.failure
    report = make_report(night)
    create_markdown_artifact(report.markdown(), key="claims-report", description=report.title)
    path = report.save(night.settings.data_folder / "reports")
    _log(night, Message(f"รายงานอยู่ที่ {path}", f"The report lies at {path}"))
    progress.reach(100.0)
    return report


def _send(night: Night, progress: _Progress) -> None:
    total = night.count_due()
    _log(night, Message(f"มีรายการที่ต้องส่ง {total} รายการ", f"{total} claims are due"))
    if not total:
        return
    try:
        night.log_in()
    except MophClaimError as error:
        night.failure = error
        return
    number = 0
    while not night.failure and (chunk := night.next_chunk()):
        number += 1
        send_chunk(night, number, _Chunk(chunk), return_state=True)
        sent = night.sent.total()
        _log(night, Message(f"ได้คำตอบแล้ว {sent}/{total}", f"{sent} of {total} answered"))
        progress.reach(50.0 + 50.0 * min(1.0, sent / total))
    if not night.failure:
        await_last_answers(night, return_state=True)
        sent = night.sent.total()
        _log(night, Message(f"ได้คำตอบแล้ว {sent}/{total}", f"{sent} of {total} answered"))


def _ended(night: Night) -> Message:
    if night.wish.dry_run:
        n = night.tally.would_send
        return Message(f"ทดลองเสร็จ จะส่ง {n} รายการ", f"Dry run: {n} claims would be sent.")
    sent = ", ".join(f"{state} {n}" for state, n in sorted(night.sent.items())) or "0"
    return Message(f"เสร็จ ส่งแล้ว: {sent}", f"Done. Sent: {sent}")


def _log(night: Night, message: Message) -> None:
    get_run_logger().info("%s", message.say(night.settings.language))
