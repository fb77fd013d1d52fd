"""`moph-claim doctor`: is everything in place for tonight? It sends no claim."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from core.errors import MophClaimError
from core.messages import Message
from extract.errors import SourceError
from extract.hcode import check_hcode
from extract.read_only_account import ReadOnlyProof, prove_read_only
from extract.source import open_source
from flows.settings.facilities import SAME_HCODE
from flows.settings.model import Settings
from load.account_center import log_in
from load.database import audit_engine
from load.runs import try_writing
from transform.code_map_check import check_code_maps
from transform.codes import read_codes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Args:
        what: What was looked at.
        well: Whether it is in order.
        said: What was found, and what to do when it is not.
        hcode: The facility's code, where it was found out.
    """

    what: Message
    well: bool
    said: Message
    hcode: str = ""


def examine_each(facilities: Sequence[Settings]) -> Iterator[tuple[Settings, Finding]]:
    """Look at each facility, and whether two of them turn out to be one: of some the HIS alone says the code.

    Args:
        facilities: The settings of each.
    """
    known: dict[tuple[str, str], str] = {}
    for one in facilities:
        for finding in examine(one):
            yield one, finding
            if finding.hcode:
                other = known.setdefault((one.api.environment, finding.hcode), one.facility_key)
                if other != one.facility_key:
                    of = {"hcode": finding.hcode, "environment": one.api.environment}
                    same = SAME_HCODE.fill(one=other, other=one.facility_key, **of)
                    yield one, Finding(Message("รหัสหน่วยบริการ", "Facility code"), False, same)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the audit, the hospital database and the account, in this order; each on its own.

    Args:
        settings: The settings in force (that they could be read is the first thing in order).
    """
    hcode = settings.facility.hcode
    proofs: list[ReadOnlyProof] = []
    slips: list[Message] = []

    def audit() -> Message:
        with audit_engine(settings.audit_url()) as engine:
            try_writing(engine, settings.api.environment)
        return Message("เขียนได้", "can be written")

    def his() -> Message:
        nonlocal hcode
        if settings.facility.name and hcode and not settings.his.url.get_secret_value():
            return Message(
                f"ไม่ได้ตั้งไว้ นำเข้าได้เฉพาะไฟล์ Excel ของ {hcode} {settings.facility.name}",
                f"none is set: only workbooks of {hcode} {settings.facility.name} are imported",
            )
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
            source.reader.check_statements()
            facility = source.facility()
            hcode = check_hcode(source, settings.facility.hcode)
            proofs.append(prove_read_only(source.reader))
            slips.extend(check_code_maps(source.reader.maps, read_codes(settings.transform.codes_folder)))
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
    of_his = _look(Message("ฐานข้อมูล HIS", "Hospital database"), his)
    yield replace(of_his, hcode=hcode)
    # What could not be read could not be written either.
    yield from (Finding(Message("สิทธิ์ใน HIS", "Guest in the HIS"), proof.is_proven, proof.message) for proof in proofs)
    yield from (Finding(Message("ตารางจับคู่รหัส", "Code maps"), False, slip) for slip in slips)
    yield _look(Message("บัญชี MOPH Claim", "MOPH Claim account"), account)


def _look(what: Message, at: Callable[[], Message]) -> Finding:
    try:
        return Finding(what, True, at())
    except MophClaimError as error:
        return Finding(what, False, error.message)
