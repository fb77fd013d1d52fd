"""The parameters of each flow: one frozen model, from which the Prefect form, the command, the check and the audit's record
of a run are all made. The Prefect server lets wrong dates and unknown combinations through, so a flow checks them itself."""

import inspect
from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.clock import today
from core.errors import ConfigurationError
from core.messages import Message
from transform.claim import KINDS, Kind

SendChoice = Literal["new and due", "only failed", "everything again"]
# Lab results are confirmed and vaccines keyed in days after the visit.
LOOK_BACK_DAYS = 7
OLDEST = date(2020, 1, 1)

DryRun = Annotated[bool, Field(description="ทดลอง ไม่ส่งจริง / Read and check everything, send nothing.")]
ChunkSize = Annotated[int, Field(ge=1, le=2000, description="จำนวนรายการต่อชุด 1-2000 / Claims one task sends, 1-2000.")]
Concurrency = Annotated[
    int, Field(ge=1, le=64, description="จำนวนที่ส่งพร้อมกัน 1-64 / Claims under way at the same time, 1-64.")
]
# Not recorded with the parameters: the audit has a column for the facility.
FacilityName = Annotated[
    str,
    Field(
        exclude=True,
        description="หน่วยบริการใด เมื่อตั้งไว้หลายหน่วย / Which facility, where the configuration has several.",
    ),
]


class FlowParameters(BaseModel):
    """What all flows do with their parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def checked(cls, **values: object) -> Self:
        """The parameters, as Python values or out of JSON, checked and completed.

        Raises:
            ConfigurationError: One cannot be used, or they do not go together.
        """
        try:
            return cls.model_validate(values).completed()
        except ValidationError as error:
            name = str(error.errors(include_input=False)[0]["loc"][0])
            if name not in cls.model_fields:
                raise ConfigurationError(_UNKNOWN.fill(name=name)) from None
            can = _PERMITTED[name]
            raise ConfigurationError(
                Message(f"พารามิเตอร์ {name} ใช้ไม่ได้ {can.th}", f"The parameter {name} cannot be used: {can.en}.")
            ) from None

    def completed(self) -> Self:
        """The same with what was left open filled in.

        Raises:
            ConfigurationError: They do not go together.
        """
        return self

    def recorded(self) -> dict[str, Any]:
        """What the audit keeps of them: nothing personal."""
        return self.model_dump(mode="json", by_alias=True)


class SubmitParameters(FlowParameters):
    """What `submit-claims` is for; days left open become the last seven up to yesterday (today's visits are not finished)."""

    date_from: Annotated[
        date | None,
        Field(
            serialization_alias="from",
            description="วันที่รับบริการวันแรก (ว่าง = 7 วันย้อนหลัง) / First service day; empty: seven days back.",
        ),
    ] = None
    date_to: Annotated[
        date | None,
        Field(
            serialization_alias="to",
            description="วันที่รับบริการวันสุดท้าย (ว่าง = เมื่อวาน) / Last service day; empty: yesterday.",
        ),
    ] = None
    kinds: Annotated[list[Kind], Field(description="ประเภทที่จะส่ง / Kinds of claims: dm, ht (DMHT), epi, dt.")] = list(
        KINDS
    )
    send: Annotated[
        SendChoice,
        Field(
            description="ส่งรายการใด / What to send: new and due, only failed (also refused ones as they are), everything again "
            "(dry run only)."
        ),
    ] = "new and due"
    dry_run: DryRun = False
    chunk_size: ChunkSize = 500
    concurrency: Concurrency = 16
    facility: FacilityName = ""

    @property
    def is_nightly(self) -> bool:
        """Whether its days are those of a nightly run: the last seven up to yesterday."""
        return (self.date_from, self.date_to) == _days(None, None)

    def completed(self) -> Self:
        """With the days filled in, each kind once."""
        first, last = _days(self.date_from, self.date_to)
        if not self.kinds:
            raise ConfigurationError(_NO_KIND)
        if self.send == "everything again" and not self.dry_run:
            raise ConfigurationError(_DRY_RUN_ONLY)
        kinds = list(dict.fromkeys(self.kinds))
        return self.model_copy(update={"date_from": first, "date_to": last, "kinds": kinds})


class ReconcileParameters(FlowParameters):
    """What `reconcile` is for."""

    dry_run: Annotated[
        bool, Field(description="ทดลอง ไม่ส่งจริง บอกว่าจะทำอะไร / Send nothing, say what would be done.")
    ] = False
    ask_status: Annotated[
        bool,
        Field(description="สอบถามสถานะธุรกรรมที่รับแล้ว / Ask what became of the transactions that were accepted."),
    ] = True
    chunk_size: ChunkSize = 500
    concurrency: Concurrency = 16
    facility: FacilityName = ""


class ImportParameters(FlowParameters):
    """What `import-workbook` is for; the audit keeps the file with its rows."""

    file: Annotated[
        str,
        Field(
            exclude=True,
            description="ไฟล์ในโฟลเดอร์ inbox เช่น school/oct.xlsx (ว่าง = ทุกไฟล์ที่รออยู่) / A file in the inbox, such as "
            "school/oct.xlsx; empty: all.",
        ),
    ] = ""
    dry_run: DryRun = False
    chunk_size: ChunkSize = 500
    concurrency: Concurrency = 16
    facility: FacilityName = ""


R = TypeVar("R")


def takes(model: type[FlowParameters]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a flow's function, which takes any keywords, the signature of its model. Prefect makes its form from that.

    Args:
        model: The flow's parameters; their descriptions become the form's help.
    """

    def signed(function: Callable[..., R]) -> Callable[..., R]:
        fields = model.model_fields
        function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=_type(field))
                for name, field in fields.items()
            ],
            return_annotation=inspect.signature(function).return_annotation,
        )
        arguments = [f"    {name}: {field.description}" for name, field in fields.items()]
        function.__doc__ = "\n".join([inspect.getdoc(function) or "", "", "Args:", *arguments])
        return function

    return signed


def _type(field: Any) -> Any:
    """A field's type with its bounds."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


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


_UNKNOWN = Message("ไม่มีพารามิเตอร์ชื่อ {name}", "There is no parameter {name}.")
_NO_KIND = Message("กรุณาเลือกอย่างน้อยหนึ่งประเภท: dm, ht, epi, dt", "Choose at least one kind: dm, ht, epi, dt.")
_DRY_RUN_ONLY = Message(
    "'everything again' ใช้ได้กับการทดลอง (dry run) เท่านั้น เพราะรายการที่รับแล้วต้องไม่ส่งซ้ำ",
    "'everything again' is for a dry run only: what was accepted is never sent twice.",
)
_A_DAY = Message("ให้เขียนวันที่เป็น ค.ศ. เช่น 2026-10-31", "write the day in CE, as 2026-10-31")
_YES_OR_NO = Message("ใช้ true หรือ false", "it is true or false")
_PERMITTED = {
    "date_from": _A_DAY,
    "date_to": _A_DAY,
    "kinds": Message("ใช้ dm, ht, epi, dt", "kinds are dm, ht, epi, dt"),
    "send": Message(
        "ใช้ 'new and due', 'only failed' หรือ 'everything again'",
        "it is 'new and due', 'only failed' or 'everything again'",
    ),
    "file": Message("ใช้ชื่อไฟล์ในโฟลเดอร์ inbox", "it is the name of a file in the inbox"),
    "dry_run": _YES_OR_NO,
    "ask_status": _YES_OR_NO,
    "chunk_size": Message("ใช้จำนวนเต็ม 1 ถึง 2000", "it is a whole number from 1 to 2000"),
    "concurrency": Message("ใช้จำนวนเต็ม 1 ถึง 64", "it is a whole number from 1 to 64"),
    "facility": Message("ใช้ชื่อหน่วยบริการ", "it is the name of a facility"),
}
