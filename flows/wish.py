"""What a run is asked to do, checked: the Prefect server lets wrong dates and unknown combinations through."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from extract.clock import today
from extract.errors import ConfigurationError
from extract.messages import Message
from load.states import DUE, FAILED, State
from transform.claim import Kind

SendChoice = Literal["new and due", "only failed", "everything again"]
# Lab results are confirmed and vaccines keyed in days after the visit.
LOOK_BACK_DAYS = 7
OLDEST = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class Wish:
    """The days, kinds and claims a run is for.

    Args:
        first: First service day.
        last: Last service day.
        kinds: Kinds of claims, without repeats.
        send: Which claims go.
        dry_run: Read and check, but send nothing.
        chunk_size: Claims a task sends.
        concurrency: Claims under way at once.
    """

    first: date
    last: date
    kinds: tuple[Kind, ...]
    send: SendChoice
    dry_run: bool
    chunk_size: int
    concurrency: int

    @property
    def days(self) -> list[date]:
        """Every service day, oldest first."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def states(self) -> tuple[State, ...]:
        """The states whose claims go."""
        return FAILED if self.send == "only failed" else DUE


def make_wish(
    date_from: date | None,
    date_to: date | None,
    kinds: list[Kind],
    send: SendChoice,
    dry_run: bool,
    chunk_size: int,
    concurrency: int,
) -> Wish:
    """A checked wish; days left open become the last seven up to yesterday (today's visits are not finished).

    Raises:
        ConfigurationError: The parameters do not go together.
    """
    last = date_to or (max(date_from, today() - timedelta(days=1)) if date_from else today() - timedelta(days=1))
    first = date_from or last - timedelta(days=LOOK_BACK_DAYS - 1)
    if first > last:
        raise ConfigurationError(
            Message(
                f"วันเริ่ม {first} อยู่หลังวันสิ้นสุด {last} กรุณาแก้แล้วสั่งใหม่",
                f"The first day {first} is after the last day {last}: correct them and start again.",
            )
        )
    if first < OLDEST or last > today():
        raise ConfigurationError(
            Message(
                f"วันที่ต้องอยู่ระหว่าง {OLDEST} ถึงวันนี้ ({today()}) เป็น ค.ศ. กรุณาแก้แล้วสั่งใหม่",
                f"Days lie between {OLDEST} and today ({today()}), in CE years: correct them and start again.",
            )
        )
    if not kinds:
        raise ConfigurationError(
            Message("กรุณาเลือกอย่างน้อยหนึ่งประเภท: dm, ht, epi, dt", "Choose at least one kind: dm, ht, epi, dt.")
        )
    if send == "everything again" and not dry_run:
        raise ConfigurationError(
            Message(
                "'everything again' ใช้ได้กับการทดลอง (dry run) เท่านั้น เพราะรายการที่รับแล้วต้องไม่ส่งซ้ำ",
                "'everything again' is for a dry run only: what was accepted is never sent twice.",
            )
        )
    return Wish(first, last, tuple(dict.fromkeys(kinds)), send, dry_run, chunk_size, concurrency)
