"""Masks a hospital's rows for display: columns that identify nobody are shown, of the others only the shape.

Every column that is not in `SHOWN` is masked, so that an unknown column is masked too.
"""

import re
import unicodedata

from core.mojibake import MOJIBAKE

SHOWN = frozenset(
    [
        "hcode",
        "hospital_name",
        "visit_date",
        "visit_time",
        "title",
        "sex",
        "marriage",
        "occupa",
        "nation",
        "scheme",
        "local_marriage",
        "local_occupa",
        "local_nation",
        "local_scheme",
        "marriage_name",
        "nation_name",
        "scheme_name",
        "his_claim_kinds",
        "antenatal",
        "gravida",
        "ga_week",
        "icd10",
        "dx_type",
        "dx_date",
        "dx_time",
        "earlier",
        "lab_code",
        "local_code",
        "lab_name",
        "result",
        "result_date",
        "result_time",
        "vaccine_code",
        "vaccine_name",
        "lot_number",
        "expiration_date",
        "given_date",
        "given_time",
        "given_at",
        "dose_quantity",
        "manufacturer",
        "family",
    ]
)
"""Columns that are shown as they are."""
PARTLY = {"dob": re.compile(r"\A\d{4}"), "closing_code": re.compile(r"\A(EP|PP)")}
"""Columns of which the beginning is shown: the year of a date of birth, the kind of a closing code."""

LONGEST_RESULT = 12
"""Results up to this length are shown: a number with its unit. A longer one is a remark, which may name somebody."""

_SPOILT = re.compile(r"เธ|เน|à[¸¹]|.", re.DOTALL)
_IDENTITY_NUMBER = re.compile(r"(?<!\d)\d(?:[ -]?\d){12}(?!\d)")


def masked(column: str, value: str) -> str:
    """A value, masked unless its column is shown.

    Args:
        column: Its column.
        value: As text, stripped.
    """
    if column in SHOWN and not (column == "result" and len(value) > LONGEST_RESULT):
        return value
    start = found.group() if (part := PARTLY.get(column)) and (found := part.match(value)) else ""
    return start + shape(value[len(start) :])


def shape(text: str) -> str:
    """Text with a stand-in for each letter and 9 for each digit; signs of a wrong character set stay visible."""
    pieces = _SPOILT.findall(text) if MOJIBAKE.search(text) else text
    return "".join(piece if len(piece) > 1 else _masked(piece) for piece in pieces)


def _masked(letter: str) -> str:
    if letter.isdecimal():
        return "9"
    if unicodedata.category(letter) == "Mn":  # a vowel or tone mark above or below its consonant
        return "ิ"
    if "ก" <= letter <= "๛":
        return "ก"
    if letter.isalpha():
        return "X" if letter.isupper() else "x"
    return letter


def mask_identity_numbers(text: str) -> str:
    """Text without 13-digit numbers, however their digits are grouped: a server's words or a file's name may hold one."""
    return _IDENTITY_NUMBER.sub("•••", text)
