"""`moph-claim doctor`: is everything in place for tonight? It sends no claim."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from extract.errors import MophClaimError, SourceError
from extract.messages import Message
from extract.source import open_source
from flows.settings import Settings
from flows.shift import facility_code
from load.account_center import log_in
from load.database import open_audit
from load.runs import try_writing


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Args:
        what: What was looked at.
        well: Whether it is in order.
        said: What was found, and what to do when it is not.
    """

    what: Message
    well: bool
    said: Message


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the audit, the hospital database and the account, in this order; each on its own.

    Args:
        settings: The settings in force (that they could be read is the first thing in order).
    """
    hcode = settings.facility.hcode

    def audit() -> Message:
        engine = open_audit(settings.audit_url())
        try:
            try_writing(engine, settings.api.environment)
        finally:
            engine.dispose()
        return Message("เขียนได้", "can be written")

    def his() -> Message:
        nonlocal hcode
        with open_source(settings.his) as source:
            missing = source.missing_tables()
            if missing:
                names = ", ".join(missing)
                raise SourceError(
                    Message(
                        f"ไม่มีตารางหรือคอลัมน์ {names} กรุณาตรวจสอบ his.url และ his.kind",
                        f"These tables or columns are missing: {names}; check his.url and his.kind.",
                    )
                )
            facility = source.facility()
            hcode = facility_code(settings, source)
        return Message(f"อ่านได้ {hcode} {facility.name}", f"can be read: {hcode} {facility.name}")

    def account() -> Message:
        token = log_in(settings.api, hcode)
        until = f"{token.expires_at:%Y-%m-%d %H:%M}" if token.expires_at else "?"
        return Message(f"เข้าสู่ระบบได้ โทเคนใช้ได้ถึง {until}", f"the log-in works, the token is good until {until}")

    yield Finding(
        Message("การตั้งค่า", "Configuration"),
        True,
        Message(f"สภาพแวดล้อม {settings.api.environment}", f"environment {settings.api.environment}"),
    )
    yield _look(Message("ฐานข้อมูลตรวจสอบ", "Audit database"), audit)
    yield _look(Message("ฐานข้อมูล HIS", "Hospital database"), his)
    yield _look(Message("บัญชี MOPH Claim", "MOPH Claim account"), account)


def _look(what: Message, at: Callable[[], Message]) -> Finding:
    try:
        return Finding(what, True, at())
    except MophClaimError as error:
        return Finding(what, False, error.message)
