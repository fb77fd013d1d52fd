"""Errors of reading a hospital database or a workbook, grouped by what the caller can do about them."""

from core.errors import MophClaimError


class SourceError(MophClaimError):
    """The hospital database cannot be reached or read: try again later, or repair the connection."""


class WorkbookError(MophClaimError):
    """A workbook cannot or must not be read: a person must correct it or choose another, and import it again."""


class ContractError(MophClaimError):
    """The hospital database returned something other than the contract tables: its SQL must be corrected."""
