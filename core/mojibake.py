"""Finds mojibake: text that was read in a wrong character set, as hospital databases store and return it."""

import re

MOJIBAKE = re.compile(
    # UTF-8 read as TIS-620: each Thai letter (E0 B8 xx, E0 B9 xx) has become เธ or เน and a third character, which the
    # server may have replaced or dropped. เน is then followed by a byte below A0, which no Thai letter has.
    r"(?:เธ[ก-ฟ\x80-\xa0€…‘’“”•–—?\ufffd]|เน[\x80-\x9b€…‘’“”•–—?\ufffd]){2}"
    r"|(?:เธ[ก-ฟ\x80-\xa0€…‘’“”•–—?\ufffd]?|เน[\x80-\x9b€…‘’“”•–—?\ufffd]?){3}"
    # UTF-8 read as Latin-1 or Windows-1252, TIS-620 read as Latin-1.
    r"|à[¸¹]|[\u00a1-\u00fb]{3}"
    # What a conversion has lost, and control characters.
    r"|\ufffd|\?{2}|[\x00-\x1f\x7f-\x9f]"
)
"""Matches text that was read in a wrong character set."""
