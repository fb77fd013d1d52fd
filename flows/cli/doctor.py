"""`moph-claim doctor`: is everything in place for tonight? It sends no claim."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import make_url

from core.clock import today
from core.errors import MophClaimError
from core.messages import Message
from extract import person_history
from extract.errors import SourceError
from extract.hcode import check_hcode
from extract.read_only_account import prove_read_only
from extract.source import HisSource, open_source
from flows.settings.facilities import SAME_HCODE
from flows.settings.model import Settings, config_file
from load.account_center import log_in
from load.database import audit_engine
from load.errors import AuditError
from load.high_water_mark import MarkFile
from load.runs import try_writing
from load.transactions import transaction
from transform.claim import KINDS
from transform.code_map_check import check_code_maps
from transform.codes import rate_years, read_codes
from transform.dates import buddhist_fiscal_year

OPEN_TO_OTHERS = Message(
    "ผู้ใช้อื่นในเครื่องนี้เข้าถึง {path} ได้ (สิทธิ์ {mode}) ให้สั่ง: chmod {private} '{path}'",
    "Others on this machine may use {path} (mode {mode}); mend it with: chmod {private} '{path}'",
)
OF_ANOTHER = Message(
    "{path} เป็นของผู้ใช้อื่น (uid {owner}) ให้สั่ง: chown {us} '{path}'",
    "{path} belongs to another user (uid {owner}); mend it with: chown {us} '{path}'",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Args:
        subject: What was checked.
        ok: Whether it is in order.
        message: What was found, and what to do when it is not in order.
        hcode: The facility's code, where the check found it out.
        warning: Tonight's run does not depend on it, but a person should see to it.
    """

    subject: Message
    ok: bool
    message: Message
    hcode: str = ""
    warning: bool = False


def examine_each(facilities: Sequence[Settings]) -> Iterator[tuple[Settings, Finding]]:
    """Check the files of all, then each facility, and whether two of them are the same: where no code is configured, only the HIS names it.

    Args:
        facilities: The settings of each.
    """
    known: dict[tuple[str, str], str] = {}
    files = Message("สิทธิ์ของไฟล์", "Rights of files")
    yield from (
        (settings, Finding(files, False, message, warning=True))
        for settings in facilities[:1]
        for message in open_to_others(settings)
    )
    for settings in facilities:
        for finding in examine(settings):
            yield settings, finding
            if finding.hcode:
                environment, key = settings.api.environment, settings.facility_key
                other = known.setdefault((environment, finding.hcode), key)
                if other != key:
                    same = SAME_HCODE.fill(one=other, other=key, hcode=finding.hcode, environment=environment)
                    yield settings, Finding(Message("รหัสหน่วยบริการ", "Facility code"), False, same)


def examine(settings: Settings) -> Iterator[Finding]:
    """Check the rates, the audit, the hospital database and the account, in this order; each on its own.

    Args:
        settings: The settings in force (that they could be read is the first thing in order).
    """
    environment = Message(f"สภาพแวดล้อม {settings.api.environment}", f"environment {settings.api.environment}")
    yield Finding(Message("การตั้งค่า", "Configuration"), True, environment)
    yield _examine_rates(settings)
    yield _finding(Message("ฐานข้อมูลตรวจสอบ", "Audit database"), partial(_try_audit, settings))
    of_his = list(_examine_his(settings))
    yield from of_his
    hcode = of_his[0].hcode
    if hcode and (fault := _fault_of_audit(settings, hcode)):
        yield Finding(Message("ความครบถ้วนของฐานข้อมูลตรวจสอบ", "Audit against its mark"), False, fault)
    yield _finding(Message("บัญชี MOPH Claim", "MOPH Claim account"), partial(_try_account, settings, hcode))


def open_to_others(settings: Settings) -> Iterator[Message]:
    """The files with secrets or personal data that others on this machine may read, or that are another's; each a sentence.

    Args:
        settings: The settings in force.
    """
    data = settings.data_folder
    audit = make_url(settings.audit_url())
    of_audit = [Path(audit.database)] if audit.get_backend_name() == "sqlite" and audit.database else []
    password = data / "prefect" / "password"
    for path in (config_file(), Path(".env"), Path("prefect.env"), data, password, *of_audit):
        try:
            status = path.stat()
        except OSError:  # there is none; what must be there is missed elsewhere
            continue
        shown, mode = path.absolute(), stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            yield OPEN_TO_OTHERS.fill(path=shown, mode=f"{mode:o}", private="700" if path.is_dir() else "600")
        if status.st_uid not in (0, os.geteuid()):
            yield OF_ANOTHER.fill(path=shown, owner=status.st_uid, us=os.geteuid())


def _examine_rates(settings: Settings) -> Finding:
    """Which fiscal years have rates, and whether all that is paid for has one today."""
    what, day = Message("อัตราจ่าย", "Rates"), today()
    try:
        codes = read_codes(settings.transform.codes_folder)
    except MophClaimError as error:
        return Finding(what, False, error.message)
    years, year = rate_years(codes.rates), buddhist_fiscal_year(day)
    known = Message(f"rates.csv มีอัตราของปีงบประมาณ {years}", f"rates.csv has those of fiscal year {years}")
    missing = ", ".join(item for kind in KINDS for item in codes.on(day).without_rate(kind))
    if not missing:
        return Finding(what, True, known)
    lacking = Message(
        f"{known.th} แต่วันนี้ (ปีงบประมาณ {year}) ไม่มีอัตราของ {missing} จึงนับเป็น 0 บาท "
        "กรุณาเพิ่มในไฟล์ rates.csv ของ transform.codes_folder",
        f"{known.en}, but today (fiscal year {year}) none of {missing}, which counts as 0 baht: "
        "add them to rates.csv of transform.codes_folder",
    )
    return Finding(what, False, lacking, warning=True)


def _try_audit(settings: Settings) -> Message:
    with audit_engine(settings.audit_url()) as engine:
        try_writing(engine, settings.api.environment)
    return Message("เขียนได้", "can be written")


def _fault_of_audit(settings: Settings, hcode: str) -> Message | None:
    """Why a run would send nothing tonight; None as well where the audit cannot be used at all, which is said already."""
    mark = MarkFile(settings.marks_folder(), settings.api.environment, hcode)
    try:
        with audit_engine(settings.audit_url()) as engine, transaction(engine, reading=True) as connection:
            return mark.fault_of(connection)
    except AuditError:
        return None


def _try_account(settings: Settings, hcode: str) -> Message:
    token = log_in(settings.api, hcode)
    until = f"{token.expires_at:%Y-%m-%d %H:%M}" if token.expires_at else "?"
    return Message(f"เข้าสู่ระบบได้ โทเคนใช้ได้ถึง {until}", f"the log-in works, the token is good until {until}")


def _examine_his(settings: Settings) -> Iterator[Finding]:
    """Whether it can be read; then, if it can, whether it could be written, and the codes of its maps that are on no list."""
    what, hcode, name = Message("ฐานข้อมูล HIS", "Hospital database"), settings.facility.hcode, settings.facility.name
    if name and hcode and not settings.his.url.get_secret_value():
        only_workbooks = Message(
            f"ไม่ได้ตั้งไว้ นำเข้าได้เฉพาะไฟล์ Excel ของ {hcode} {name}",
            f"none is set: only workbooks of {hcode} {name} are imported",
        )
        yield Finding(what, True, only_workbooks, hcode)
        return
    try:
        with open_source(settings.his) as source:
            _check_tables(source)
            facility = source.facility()
            hcode = check_hcode(source, settings.facility.hcode)
            proof = prove_read_only(source.reader)
            gap = person_history.gap(source.reader)
            slips = list(check_code_maps(source.reader.maps, read_codes(settings.transform.codes_folder)))
    except MophClaimError as error:
        yield Finding(what, False, error.message, hcode)
        return
    readable = Message(f"อ่านได้ {hcode} {facility.name}", f"can be read: {hcode} {facility.name}")
    yield Finding(what, True, readable, hcode)
    yield Finding(Message("สิทธิ์ใน HIS", "Guest in the HIS"), proof.is_proven, proof.message)
    # A missing index is nothing that a person here can mend: `his check` and the import's report say that.
    if gap is person_history.NO_FILE:
        yield Finding(Message("ประวัติผู้ป่วยใน HIS", "Persons in the HIS"), False, gap, warning=True)
    yield from (Finding(Message("ตารางจับคู่รหัส", "Code maps"), False, slip) for slip in slips)


def _check_tables(source: HisSource) -> None:
    if missing := source.missing_tables():
        names = ", ".join(missing)
        raise SourceError(
            Message(
                f"ไม่มีตารางหรือคอลัมน์ {names} กรุณาตรวจสอบ his.url และ his.kind",
                f"These tables or columns are missing: {names}; check his.url and his.kind.",
            )
        )
    source.reader.check_statements()


def _finding(what: Message, check: Callable[[], Message]) -> Finding:
    try:
        return Finding(what, True, check())
    except MophClaimError as error:
        return Finding(what, False, error.message)
