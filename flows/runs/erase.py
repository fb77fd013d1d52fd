"""`moph-claim audit erase`: personal data that is older than it may be kept is taken out of the audit."""

from collections import Counter
from datetime import date

from sqlalchemy import Engine

from core.clock import today
from core.errors import ConfigurationError
from core.messages import Message
from flows.settings.model import Settings
from load.erasure import compact, count_erasable, erase, facilities
from load.runs import start_run
from load.seals import ERASE_FLOW

_TOO_YOUNG = Message(
    "--before {day} ใช้ไม่ได้ ต้องเก็บข้อมูลไว้อย่างน้อย 1 ปี", "--before {day} cannot be used: data is kept for a year at least."
)


def last_day_kept(settings: Settings, before: date | None) -> date:
    """The first service day whose personal data is kept: the one given, or that of `privacy.keep_years`.

    Raises:
        ConfigurationError: The day is less than a year ago.
    """
    day = before or _years_ago(settings.privacy.keep_years)
    if day > _years_ago(1):
        raise ConfigurationError(_TOO_YOUNG.fill(day=day))
    return day


def count_old(settings: Settings, engine: Engine, before: date) -> int:
    """How many claims and issues would be erased."""
    environment, hcode = settings.api.environment, settings.facility.hcode
    return sum(count_erasable(engine, environment, each, before) for each in facilities(engine, environment, hcode))


def erase_old(settings: Settings, engine: Engine, before: date) -> Message:
    """Erase it, by a run of its own for each facility; then make SQLite's file anew.

    Returns:
        What was erased.

    Raises:
        FacilityBusy: A run is under way.
        AuditError: The audit cannot be used.
    """
    environment, counts = settings.api.environment, Counter[str]()
    at_once = settings.audit.model_copy(update={"lock_wait_seconds": 0})
    for hcode in facilities(engine, environment, settings.facility.hcode):
        if not count_erasable(engine, environment, hcode, before):
            continue
        parameters = {"before": before}
        with start_run(
            engine, at_once, environment=environment, hcode=hcode, flow=ERASE_FLOW, parameters=parameters
        ) as run:
            erased = erase(engine, run, before)
            run.counts.update(erased)
            counts += erased
    compact(engine)
    return Message(
        f"ลบข้อมูลส่วนบุคคลก่อนวันที่ {before} แล้ว: {counts['claims']:,} รายการเบิก {counts['issues']:,} ปัญหา "
        "สำเนาสำรองเก่ายังมีข้อมูลเหล่านี้อยู่ กรุณาลบตามกำหนด",
        f"Personal data of before {before} was taken out of {counts['claims']:,} claims and {counts['issues']:,} issues. "
        "Old backups still hold it: remove them when their time has come.",
    )


def _years_ago(years: int) -> date:
    day = today()
    return date(day.year - years, day.month, min(day.day, 28 if day.month == 2 else day.day))
