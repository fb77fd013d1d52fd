"""What can go wrong while a hospital database or a workbook is read, grouped by what the caller can do."""

from core.errors import MophClaimError


class SourceError(MophClaimError):
    """The hospital database cannot be reached or read: try again later, or mend the connection."""


class WorkbookError(MophClaimError):
    """A workbook cannot be read, or must not be: a person must mend it or choose another, and import it again."""


class ContractError(MophClaimError):
    """The hospital database gave something other than the contract tables: its SQL must be mended."""
