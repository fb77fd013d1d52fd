"""Makes text of hospitals and officers plain: nothing in it that nobody sees, and ำ always the one letter."""

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
    if not (text.isascii() and text.isprintable()):
        text = _DECOMPOSED.sub("\\1\u0e33", INVISIBLE.sub("", text).translate(_BLANKS))
    return text.strip()
