"""The errors of this package, grouped by what the caller can do."""

from core.errors import MophClaimError
from core.messages import Message


class LoginError(MophClaimError):
    """The log-in gave no token: nothing was sent. A person must check the account or the address."""


class StopRun(MophClaimError):
    """Every further claim would fail in the same way: no more are sent; answers are kept."""


class AuditError(MophClaimError):
    """The audit database cannot be used: nothing is sent without it."""


class AuditAway(AuditError):
    """The audit database is away, busy or full: trying again may succeed."""


class AuditGoneBack(AuditError):
    """The audit lacks what this machine knows was in it: nothing is sent until a person says so."""


class AuditFull(AuditAway):
    """The disk of the audit database is full."""


class FacilityBusy(MophClaimError):
    """Another run holds the facility."""


FACILITY_BUSY = Message(
    "มีการทำงานอื่นของหน่วยบริการ {hcode} กำลังดำเนินอยู่ (run {run}) กรุณารอให้เสร็จแล้วสั่งใหม่",
    "Another run of facility {hcode} is under way (run {run}); wait until it ends and start again.",
)


def certificate_refused(address: str) -> Message:
    """The message for a certificate that does not verify."""
    return Message(
        f"ใบรับรองความปลอดภัย (TLS) ของ {address} ไม่ถูกต้อง กรุณาตรวจสอบนาฬิกา หรือให้ผู้ดูแลเครือข่ายตั้ง api.ca_bundle (ห้ามปิดการตรวจสอบ)",
        f"The certificate of {address} cannot be verified: check the clock, or have the network's administrator set "
        "api.ca_bundle (the check is never switched off).",
    )


def malformed_address(address: str, setting: str) -> Message:
    """The message for a malformed address."""
    return Message(
        f"ที่อยู่ {address} ไม่ถูกต้อง กรุณาแก้ {setting}",
        f"The address {address} is malformed: correct {setting}.",
    )


def sending_stopped() -> Message:
    """The message for an exchange that does not begin any more."""
    return Message(
        "หยุดการส่งแล้ว จึงไม่ติดต่อ MOPH Claim อีก รายการที่เหลือจะส่งในรอบถัดไปเอง",
        "Sending was stopped, so MOPH Claim is not called any more; the rest goes in the next run by itself.",
    )


def clear_text(address: str, setting: str) -> Message:
    """The message for an address to which patients' data would go unencrypted."""
    return Message(
        f"ที่อยู่ {address} ไม่เข้ารหัส (http) ข้อมูลผู้ป่วยและรหัสผ่านจะถูกอ่านได้ระหว่างทาง กรุณาแก้ {setting} เป็น https:// (http:// ใช้ได้เฉพาะเครื่องนี้เอง)",
        f"The address {address} is not encrypted (http): patients' data and the password could be read on the way. Set "
        f"{setting} to https:// (http:// only leads to this machine itself).",
    )
