"""Parses untrusted XML piece by piece; XML that declares a document type is refused."""

from collections.abc import Callable, Iterable, Iterator
from xml.parsers import expat

from extract.workbook.safe_open.refusals import DAMAGED, DECLARATION, HOLDS, FileRefused

Attributes = dict[str, str]
Start = Callable[[str, Attributes], object]


class _FirstElement(Exception):
    """The first element was reached; no declaration can follow."""


def new_parser(start: Start) -> expat.XMLParserType:
    """A parser that calls a function at the start of every element.

    Args:
        start: Called with the element's name, with its prefix in the file, and its attributes.
    """
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    return parser


def feed(parser: expat.XMLParserType, pieces: Iterable[bytes]) -> None:
    """Parse all pieces of a document.

    Raises:
        FileRefused: It is not well-formed, or declares a document type.
    """
    try:
        for piece in pieces:
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    # An unknown encoding raises LookupError; one that expat cannot use, and a bad number in `start`, ValueError.
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise FileRefused(DAMAGED) from error


def walk(pieces: Iterable[bytes], start: Start) -> None:
    """Parse all pieces of a document with a new parser, as `feed` does."""
    feed(new_parser(start), pieces)


def refusing_declarations(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pass the pieces on, but parse them up to the first element, which is where declarations are.

    Raises:
        FileRefused: It declares a document type, or does not begin as XML.
    """
    parser = new_parser(_stop_at_element)
    begun = False
    for piece in pieces:
        try:
            if not begun:
                parser.Parse(piece, False)
        except _FirstElement:
            begun = True
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise FileRefused(DAMAGED) from error
        yield piece


def local_name(name: str) -> str:
    """An element's name without its prefix."""
    return name.rpartition(":")[2]


def _stop_at_element(_name: str, _attributes: Attributes) -> None:
    raise _FirstElement


def _refuse(*_: object) -> None:
    raise FileRefused(HOLDS, DECLARATION)
