"""What can go wrong between us and MOPH Claim, grouped by what the caller can do."""

from core.errors import MophClaimError
from core.messages import Message


class LoginError(MophClaimError):
    """No token was to be had: nothing was sent. A person must look at the account or the address."""


class StopRun(MophClaimError):
    """Every further claim would fail alike: nothing more is sent, what was answered is kept."""


class AuditError(MophClaimError):
    """The audit database cannot be used: nothing is sent without it."""


class AuditAway(AuditError):
    """The audit database is away, busy or full: the same may succeed in a moment."""


class FacilityBusy(MophClaimError):
    """Another run of the same facility holds it."""


FACILITY_BUSY = Message(
    "มีการทำงานอื่นของหน่วยบริการ {hcode} กำลังดำเนินอยู่ (run {run}) กรุณารอให้เสร็จแล้วสั่งใหม่",
    "Another run of facility {hcode} is under way (run {run}); wait until it ends and start again.",
)


def certificate_refused(address: str) -> Message:
    """The sentence for a certificate that does not verify."""
    return Message(
        f"ใบรับรองความปลอดภัย (TLS) ของ {address} ไม่ถูกต้อง กรุณาตรวจสอบนาฬิกา หรือให้ผู้ดูแลเครือข่ายตั้ง api.ca_bundle (ห้ามปิดการตรวจสอบ)",
        f"The certificate of {address} cannot be verified: check the clock, or have the network's administrator set "
        "api.ca_bundle (the check is never switched off).",
    )


def malformed_address(address: str, setting: str) -> Message:
    """The sentence for an address that is none."""
    return Message(
        f"ที่อยู่ {address} ไม่ถูกต้อง กรุณาแก้ {setting}",
        f"The address {address} is malformed: correct {setting}.",
    )
