"""A run in a terminal has a longest duration too: it ends itself. Runs of the timetable are ended by `moph-claim up`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

import psutil

from core.messages import Message
from flows.service.processes import end_tree

_TOO_LONG = Message(
    "รอบนี้ทำงานนานเกิน {hours:.3g} ชั่วโมง (service.longest_run_hours) จึงหยุด ที่เหลือรอบหน้าทำต่อ",
    "The run took longer than {hours:.3g} hours (service.longest_run_hours) and ends; the next one does the rest.",
)


@contextmanager
def ended_after(hours: float, tell: Callable[[Message], None]) -> Iterator[None]:
    """End this process, with all that it has started, if the block lasts longer: by SIGTERM, and in the end by SIGKILL.

    Args:
        hours: How long it may last.
        tell: Called with a sentence before it is ended.
    """

    def end() -> None:
        tell(_TOO_LONG.fill(hours=hours))
        end_tree(psutil.Process())

    timer = Timer(hours * 3600, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
