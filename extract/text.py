"""Makes text of hospitals and officers plain: nothing in it that nobody sees, and ำ always the one letter.

And tells words that say that there is no value from values.
"""

import re

from core.text import INVISIBLE

# All kinds of blanks (no-break, tabs, line ends) are a blank; a soft hyphen is nothing.
_BLANKS = {0xAD: "", **dict.fromkeys(
    [9, 10, 11, 12, 13, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000], " "
)}  # fmt: skip
# ำ typed as a ring and า, with a tone mark between them or before.
_DECOMPOSED = re.compile("\u0e4d([\u0e48-\u0e4b]?)\u0e32")


def cleaned(text: str) -> str:
    """Text without invisible characters and surrounding blanks.

    Control characters other than blanks stay: they are the sign of a wrong character set (`core.mojibake`).
    """
    if not text.isascii():
        text = INVISIBLE.sub("", text)
        text = _DECOMPOSED.sub("\\1\u0e33", text) if "\u0e4d" in text else text
    return (text if text.isprintable() else text.translate(_BLANKS)).strip()


_NO_MARKS = re.compile('[-‐‑‒–—―−._… ]+|["“”„″]+')
# "Nan" and "Nat" are names of people; programs write them otherwise.
_NO_WORDS_AS_WRITTEN = frozenset({"nan", "NaN", "NAN", "-nan", "NaT", "<NA>"})
_NO_WORDS = frozenset(
    {
        *("null", "(null)", "[null]", "<null>", "\\n", "none", "(none)", "<none>", "nil", "n/a", "#n/a", "undefined"),
        *("ไม่ทราบ", "(ไม่ทราบ)", "ไม่มี", "(ไม่มี)", "ไม่ระบุ", "(ไม่ระบุ)", "ไม่มีข้อมูล", "(ว่าง)", "(blank)"),
    }
)
_DITTO = frozenset(
    {
        *(
            '"',
            '""',
            "“",
            "”",
            "„",
            "″",
            "〃",
            "''",
            "´´",
            ",,",
            '-"-',
            '"-"',
            "-„-",
            '- " -',
            "-do-",
            "- do -",
            "do.",
            "ditto",
        ),
        *(
            "เดิม",
            "-เดิม-",
            "(เดิม)",
            "เหมือนเดิม",
            "เช่นเดิม",
            "ตามเดิม",
            "เหมือนข้างบน",
            "เหมือนด้านบน",
            "ตามข้างบน",
            "ตามด้านบน",
            "same",
            "as above",
        ),
    }
)
_ANSWERS = frozenset({("occupa", "ไม่มี")})
_LONGEST_WORD = 12


def is_no_value(text: str, column: str = "") -> bool:
    """Whether a cleaned text says that there is no value, as people write it or programs export it: "-", "NULL", "ไม่ทราบ".

    Args:
        text: The text.
        column: The contract's column; who has no occupation (ไม่มี) has answered.
    """
    if len(text) > _LONGEST_WORD or (column, text) in _ANSWERS:
        return False
    return text.casefold() in _NO_WORDS or text in _NO_WORDS_AS_WRITTEN or _NO_MARKS.fullmatch(text) is not None


def is_ditto(text: str) -> bool:
    """Whether a cleaned text says "as above"."""
    return len(text) <= _LONGEST_WORD and text.casefold() in _DITTO
