"""The facility's code: which facility the claims are of."""

from core.errors import ConfigurationError
from core.messages import Message
from extract.settings import HisSettings
from extract.source import HisSource, open_source

OTHER_FACILITY = Message(
    "ฐานข้อมูล HIS เป็นของหน่วยบริการ {hcode} แต่ตั้ง facility.hcode เป็น {configured} กรุณาตรวจสอบ his.url",
    "The hospital database belongs to facility {hcode}, but facility.hcode is {configured}: check his.url.",
)


def check_hcode(source: HisSource, configured: str) -> str:
    """The code that the hospital database has, which must be the configured one.

    Args:
        source: The open hospital database.
        configured: The setting facility.hcode; "" where none is configured.

    Raises:
        ConfigurationError: They differ.
        SourceError: The database cannot be read, or does not say which facility it belongs to.
    """
    hcode = source.facility().hcode
    if configured and configured != hcode:
        raise ConfigurationError(OTHER_FACILITY.fill(hcode=hcode, configured=configured))
    return hcode


def resolve_hcode(his: HisSettings, configured: str) -> str:
    """The configured code; where none is configured, the hospital database's.

    Args:
        his: How the hospital database is reached, if it must be asked.
        configured: The setting facility.hcode; "" where none is configured.

    Raises:
        MophClaimError: The hospital database had to be asked, and cannot be used.
    """
    if configured:
        return configured
    with open_source(his) as source:
        return check_hcode(source, configured)
