"""What a run is asked to do, checked: the Prefect server lets wrong dates and unknown combinations through."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.clock import today
from core.errors import ConfigurationError
from core.messages import Message
from load.states import DUE, FAILED, State
from transform.claim import KINDS, Kind

SendChoice = Literal["new and due", "only failed", "everything again"]
ChunkSize = Annotated[int, Field(ge=1, le=2000)]
Concurrency = Annotated[int, Field(ge=1, le=64)]
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

    @property
    def parameters(self) -> dict[str, object]:
        """What the audit says the run was asked for."""
        return {
            "from": self.first,
            "to": self.last,
            "kinds": self.kinds,
            "send": self.send,
            "dry_run": self.dry_run,
            "chunk_size": self.chunk_size,
            "concurrency": self.concurrency,
        }


@dataclass(frozen=True, slots=True)
class Reconciling(Wish):
    """What `reconcile` is for: what is due of all days and kinds, and what became of transactions.

    Args:
        ask_status: Ask what became of transactions.
    """

    ask_status: bool

    @property
    def parameters(self) -> dict[str, object]:
        """What the audit says the run was asked for."""
        return {name: getattr(self, name) for name in ("dry_run", "ask_status", "chunk_size", "concurrency")}


@dataclass(frozen=True, slots=True)
class Importing(Wish):
    """What `import-workbook` is for: the claims of one workbook; its days are known once it is read."""

    @property
    def parameters(self) -> dict[str, object]:
        """What the audit says the run was asked for; which file it was stands with the file's rows."""
        return {name: getattr(self, name) for name in ("dry_run", "chunk_size", "concurrency")}


class _AskedOfAll(BaseModel):
    """The parameters as a run is given them: as Python values, or out of JSON and checked by nobody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dry_run: bool
    chunk_size: ChunkSize
    concurrency: Concurrency


class _Asked(_AskedOfAll):
    date_from: date | None
    date_to: date | None
    kinds: list[Kind]
    send: SendChoice


class _AskedOfReconcile(_AskedOfAll):
    ask_status: bool


M = TypeVar("M", bound=_AskedOfAll)


_A_DAY = Message("ให้เขียนวันที่เป็น ค.ศ. เช่น 2026-10-31", "write the day in CE, as 2026-10-31")
_YES_OR_NO = Message("ใช้ true หรือ false", "it is true or false")
_CAN_BE = {
    "date_from": _A_DAY,
    "date_to": _A_DAY,
    "kinds": Message("ใช้ dm, ht, epi, dt", "kinds are dm, ht, epi, dt"),
    "send": Message(
        "ใช้ 'new and due', 'only failed' หรือ 'everything again'",
        "it is 'new and due', 'only failed' or 'everything again'",
    ),
    "dry_run": _YES_OR_NO,
    "ask_status": _YES_OR_NO,
    "chunk_size": Message("ใช้จำนวนเต็ม 1 ถึง 2000", "it is a whole number from 1 to 2000"),
    "concurrency": Message("ใช้จำนวนเต็ม 1 ถึง 64", "it is a whole number from 1 to 64"),
}


def make_wish(**parameters: object) -> Wish:
    """A checked wish; days left open become the last seven up to yesterday (today's visits are not finished).

    Args:
        parameters: Those of the flow, as they came.

    Raises:
        ConfigurationError: A parameter cannot be used, or they do not go together.
    """
    asked = _checked(_Asked, parameters)
    first, last = _days(asked.date_from, asked.date_to)
    if not asked.kinds:
        raise ConfigurationError(
            Message("กรุณาเลือกอย่างน้อยหนึ่งประเภท: dm, ht, epi, dt", "Choose at least one kind: dm, ht, epi, dt.")
        )
    if asked.send == "everything again" and not asked.dry_run:
        raise ConfigurationError(
            Message(
                "'everything again' ใช้ได้กับการทดลอง (dry run) เท่านั้น เพราะรายการที่รับแล้วต้องไม่ส่งซ้ำ",
                "'everything again' is for a dry run only: what was accepted is never sent twice.",
            )
        )
    kinds = tuple(dict.fromkeys(asked.kinds))
    return Wish(first, last, kinds, asked.send, asked.dry_run, asked.chunk_size, asked.concurrency)


def _days(date_from: date | None, date_to: date | None) -> tuple[date, date]:
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
    return first, last


def make_reconciling(**parameters: object) -> Reconciling:
    """A checked wish of `reconcile`.

    Args:
        parameters: Those of the flow, as they came.

    Raises:
        ConfigurationError: A parameter cannot be used.
    """
    asked = _checked(_AskedOfReconcile, parameters)
    return Reconciling(
        OLDEST, today(), KINDS, "new and due", asked.dry_run, asked.chunk_size, asked.concurrency, asked.ask_status
    )


def make_importing(**parameters: object) -> Importing:
    """A checked wish of `import-workbook`.

    Args:
        parameters: Those of the flow, as they came, but for the file.

    Raises:
        ConfigurationError: A parameter cannot be used.
    """
    asked = _checked(_AskedOfAll, parameters)
    return Importing(today(), today(), KINDS, "new and due", asked.dry_run, asked.chunk_size, asked.concurrency)


def _checked(model: type[M], parameters: dict[str, Any]) -> M:
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        name = str(error.errors(include_input=False)[0]["loc"][0])
        can = _CAN_BE[name]
        raise ConfigurationError(
            Message(f"พารามิเตอร์ {name} ใช้ไม่ได้ {can.th}", f"The parameter {name} cannot be used: {can.en}.")
        ) from None
