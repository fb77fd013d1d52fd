"""Searching what a program left behind, byte by byte, for what must not be there."""

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
_ESCAPED = re.compile(rb"\\u[0-9a-fA-F]{4}")
_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")


def leaks(files: Iterable[Path], words: set[str]) -> dict[str, set[str]]:
    """The words found, by file, however they are written: plain, escaped, in base64, packed, or in a Thai code page.

    Args:
        files: What to search, whole.
        words: What must not be there; upper and lower case count as different.
    """
    forms = {word: _forms(word) for word in words}
    found: dict[str, set[str]] = {}
    for path in files:
        text = b"\n".join(_unfolded(path.read_bytes()))
        here = {word for word, written in forms.items() if any(form in text for form in written)}
        if here:
            found[path.name] = here
    return found


def files_in(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _forms(word: str) -> set[bytes]:
    forms = {word.encode(), word.encode("utf-16-le")}
    with suppress(UnicodeEncodeError):
        forms.add(word.encode("tis-620"))
    return forms


def _unfolded(raw: bytes) -> Iterator[bytes]:
    """The bytes, and what is written in them in another form."""
    yield raw
    if _ESCAPED.search(raw):
        yield _ESCAPED.sub(lambda code: chr(int(code[0][2:], 16)).encode("utf-8", "surrogatepass"), raw)
    for run in _BASE64.findall(raw):
        # Text before the run may belong to the same letters: each of the four beginnings is tried.
        for start in range(4):
            part = run[start:].replace(b"-", b"+").replace(b"_", b"/")
            with suppress(binascii.Error):
                yield base64.b64decode(part + b"=" * (-len(part) % 4))
    for start in _PACKED.finditer(raw):
        with suppress(zlib.error, EOFError, gzip.BadGzipFile):
            yield zlib.decompressobj(wbits=47).decompress(raw[start.start() :])
