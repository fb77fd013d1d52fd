"""What the columns of the contract and the parameters of statements mean, in words, for whoever writes SQL (`meanings.csv`)."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from core.messages import Message
from extract import contract
from extract.contract import TABLES, Kind, TableName
from extract.reader import HELPER_COLUMNS

Subject = TableName | Literal["parameter", "function"]

KINDS: dict[Kind, Message] = {
    "text": Message("ข้อความ", "text"),
    "date": Message("วันที่", "date"),
    "time": Message("เวลา", "time"),
    "flag": Message("0/1", "0/1"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column that an SQL file gives.

    Args:
        name: Its name.
        kind: What the contract says it holds.
        required: Whether it may not be empty.
        meaning: What that is, in words.
    """

    name: str
    kind: Kind
    required: bool
    meaning: Message


def columns(table: TableName) -> tuple[Column, ...]:
    """The columns that the SQL file of a table gives: the contract's, then those that help it."""
    said = meanings(table)
    return tuple(
        Column(name, kind, name in contract.REQUIRED[table], said[name])
        for name, kind in (TABLES[table] | HELPER_COLUMNS[table]).items()
    )


def meanings(subject: Subject) -> Mapping[str, Message]:
    """What each name of a part means, in the order of the file."""
    return {name: message for (of, name), message in _read().items() if of == subject}


@cache
def _read() -> dict[tuple[str, str], Message]:
    with files("extract").joinpath("meanings.csv").open(encoding="utf-8") as file:
        return {(row["part"], row["name"]): Message(row["th"], row["en"]) for row in csv.DictReader(file)}
