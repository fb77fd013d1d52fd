"""The facility's code: the one that the HIS names, which must be the configured one where one is configured."""

from core.errors import ConfigurationError
from core.messages import Message
from extract.settings import HisSettings
from extract.source import HisSource, open_source

_ANOTHER = Message(
    "ฐานข้อมูล HIS เป็นของหน่วยบริการ {hcode} แต่ตั้ง facility.hcode เป็น {configured} กรุณาตรวจสอบ his.url",
    "The hospital database belongs to facility {hcode}, but facility.hcode is {configured}: check his.url.",
)


def check_hcode(source: HisSource, configured: str) -> str:
    """The code that the HIS names.

    Args:
        source: The hospital database.
        configured: The setting `facility.hcode`; empty: whichever the HIS names.

    Raises:
        ConfigurationError: They differ.
    """
    hcode = source.facility().hcode
    if configured and configured != hcode:
        raise ConfigurationError(_ANOTHER.fill(hcode=hcode, configured=configured))
    return hcode


def resolve_hcode(his: HisSettings, configured: str) -> str:
    """The configured code; where none is, the HIS is asked.

    Raises:
        MophClaimError: The HIS had to be asked, and cannot be used.
    """
    if configured:
        return configured
    with open_source(his) as source:
        return source.facility().hcode
