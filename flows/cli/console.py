"""The terminal: what commands say there and their exit codes, and a run as `moph-claim run` and the demo start it."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markdown import Markdown
from rich.segment import Segment

from core.errors import ConfigurationError, MophClaimError, as_sentence
from core.messages import Message
from core.text import plain_text
from flows.service.deadline import ended_after
from flows.service.prefect_config import configure_prefect, running_server
from flows.service.processes import interrupted_by
from flows.settings.model import Settings
from flows.settings.read import read_settings

if TYPE_CHECKING:
    from flows.tasks import RunResult


class PlainConsole(Console):
    """A terminal that the text of servers, hospitals and files cannot steer, whatever prints it; Rich's markup is text too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As Rich's: what is to be written, as text with a style."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=plain_text(segment.text))


screen = PlainConsole()
errors = PlainConsole(stderr=True)

Flow = Literal["submit-claims", "reconcile", "import-workbook"]
FacilityOption = Annotated[
    str, typer.Option("--facility", metavar="NAME", help="หน่วยบริการ เมื่อตั้งไว้หลายหน่วย / Which, where there are several.")
]
STOPPED = Message(
    "หยุดแล้ว คำตอบที่ได้บันทึกแล้ว รอบถัดไปจะสอบถามรายการที่ยังไม่ได้คำตอบ และส่งส่วนที่เหลือเอง",
    "Stopped: answers that had come are written down; the next run asks about those that had not, and sends the rest.",
)


class Exit(IntEnum):
    """What the command's exit says."""

    OK = 0
    NEEDS_A_PERSON = 1
    NOT_DONE = 2
    STOPPED = 130  # as shells have it after Ctrl-C


def day_of(text: str | None) -> date | None:
    """The day that a person has written; None where none is.

    Raises:
        ConfigurationError: It is no day.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            Message(
                f"วันที่ {text} ไม่ถูกต้อง ให้เขียนเป็น ค.ศ. เช่น 2026-10-31",
                f"The day {text} is not understood: write it in CE, as 2026-10-31.",
            )
        ) from None


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Errors come out as one sentence; no traceback reaches a user."""
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:
        errors.print(_in_language(as_sentence(error)), style="red", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(Exit.NOT_DONE) from None


def _in_language(message: Message) -> str:
    try:
        return message.say(read_settings().language)
    except MophClaimError:
        return str(message)


def run_once(settings: Settings, flow: Flow = "submit-claims", /, **parameters: Any) -> Exit:
    """Run a flow in this process, show its report, and say how it went.

    Args:
        settings: The settings in force.
        flow: Which one.
        parameters: Its parameters; of `import-workbook`, and the `path` of the file.
    """
    configure_prefect(settings.data_folder)
    # Beside a running `moph-claim up` the run shows on its pages; two servers over one Prefect database would not do.
    if url := running_server(settings.data_folder):
        os.environ.setdefault("PREFECT_API_URL", f"{url}/api")

    def show_error(sentence: Message) -> None:
        text = sentence.say(settings.language)
        errors.print(text, style="red", highlight=False, markup=False, soft_wrap=True)

    try:
        with interrupted_by(signal.SIGTERM, signal.SIGHUP), ended_after(settings.service.longest_run_hours, show_error):
            result = _run_flow(flow, parameters)
    except KeyboardInterrupt:
        errors.print(STOPPED.say(settings.language), highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(Exit.STOPPED) from None
    report, failure = result.report, result.failure
    if report is not None:
        screen.print(Markdown(report.markdown()))
    if failure is not None:
        show_error(failure.message)
        return Exit.NOT_DONE
    return Exit.NEEDS_A_PERSON if report is not None and report.for_a_person else Exit.OK


def _run_flow(flow: Flow, parameters: dict[str, Any]) -> "RunResult":
    # Imported late: Prefect reads its settings when it is imported.
    match flow:
        case "submit-claims":
            from flows.submit_claims import submit_in_process

            return submit_in_process(**parameters)
        case "reconcile":
            from flows.reconcile import reconcile_in_process

            return reconcile_in_process(**parameters)
        case "import-workbook":
            from flows.import_workbook import import_in_process

            return import_in_process(**parameters)
