"""XML that is not trusted: read piece by piece, and refused where it declares a document type."""

from collections.abc import Callable, Iterable, Iterator
from xml.parsers import expat

from extract.workbook.safe_open.refusals import DAMAGED, DECLARATION, HOLDS, FileRefused

Attributes = dict[str, str]
Start = Callable[[str, Attributes], object]


class _FirstElement(Exception):
    """The first element has come: no declaration can follow."""


def new_parser(start: Start) -> expat.XMLParserType:
    """A parser that tells the beginning of every element.

    Args:
        start: Is given its name, with the prefix that it has in the file, and its attributes.
    """
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    return parser


def feed(parser: expat.XMLParserType, pieces: Iterable[bytes]) -> None:
    """Everything is read.

    Raises:
        NotRead: It is not well-formed, or declares a document type.
    """
    try:
        for piece in pieces:
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    # An encoding that is not known is a LookupError, one that expat cannot learn and a number that is none a ValueError.
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise FileRefused(DAMAGED) from error


def walk(pieces: Iterable[bytes], start: Start) -> None:
    """As `feed`, with a new parser."""
    feed(new_parser(start), pieces)


def refusing_declarations(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces; of them only what stands before the first element is looked at, where declarations are.

    Raises:
        NotRead: It declares a document type, or what stands there is no XML.
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
