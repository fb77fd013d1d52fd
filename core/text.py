"""Makes text of others plain: that of servers, hospitals and files, before it reaches a terminal, a log or a file of ours.

What is removed cannot be seen, but changes what is: sequences that steer a terminal, characters that turn the direction of
writing around, and letters without a shape. Thai needs none of them.
"""

import re

INVISIBLE = re.compile(
    # Unicode's default ignorable code points and other format characters, among them the zero-width space of Thai.
    "[\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Characters without a shape, and those that change the direction of what follows."""
# A whole sequence of a terminal: what steers the cursor and colours, then what sets titles and links.
_ESCAPE_SEQUENCE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c))")
_NOT_TEXT = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ufffe\uffff]|{INVISIBLE.pattern}")
_LINE_BREAK = re.compile("\r\n|[\r\x85\u2028\u2029]")

FORMULA_SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""Signs that a spreadsheet takes for the beginning of a formula."""
# What Markdown gives a meaning. A colon, a dot and a sign have one only in an address or at the beginning.
_MARKDOWN = re.compile(
    r"[\\`*\[\]<>&|~@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.|\A(?:[-+=#]|\d{1,9}[.)])", re.IGNORECASE
)


def plain_text(text: str) -> str:
    """Text without control, escape, direction and invisible characters; it keeps its lines and tabs.

    Half a character (a lone surrogate, which JSON escapes and names of files may hold) becomes a question mark.
    """
    if text.isprintable() and not INVISIBLE.search(text):
        return text
    text = text.encode(errors="replace").decode()
    return _NOT_TEXT.sub("", _LINE_BREAK.sub("\n", _ESCAPE_SEQUENCE.sub("", text)))


def one_line(value: object) -> str:
    """As `plain_text`, on one line: each run of spaces, tabs and line breaks becomes one space."""
    return " ".join(plain_text(str(value)).split())


def escape_markdown(value: object) -> str:
    """Text on one line that Markdown shows as it is: no picture, link, markup, HTML or table comes of it."""
    return _MARKDOWN.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", one_line(value))
