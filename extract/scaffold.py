"""Writes the folder of a new HIS from `skeleton/`: `his.toml` and four commented SQL files with all columns."""

import re
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.errors import ConfigurationError
from core.messages import Language, Message
from extract import his_file
from extract.contract import TABLES
from extract.meanings import KINDS, columns, meanings
from extract.site_maps import MAPS
from extract.statements import BUILT_IN, PARAMETERS

SKELETON = Path(__file__).with_name("skeleton")
FILES = (his_file.NAME, *(f"{table}.sql" for table in TABLES))

# The parameters that each file lists, of those in PARAMETERS.
OF_VISITS = ("visits", "visit_numbers")
OF_DIAGNOSES = ("first_time_icd10",)
OF_LABS = ("icd10_prefixes", "lab_codes", "mapped_labs", "decided_labs")
OF_PERSONS = ("persons", "person_numbers", "identity_numbers")
"""Of the optional persons.sql, which is not laid out: as long as there is none, `doctor` says so."""
OF_DAY = tuple(name for name in PARAMETERS if name not in (*OF_VISITS, *OF_DIAGNOSES, *OF_LABS, *OF_PERSONS))

_NAME = re.compile(r"[a-z0-9_]+")
_NEEDED = Message(" ห้ามว่าง", ", never empty")

BAD_NAME = Message(
    th="ชื่อ {name} ใช้ไม่ได้ ให้ใช้ตัวอักษร a-z ตัวเลข และ _ และไม่ซ้ำกับ {taken}",
    en="The name {name} cannot be used: write it with a-z, digits and _, and not as {taken}.",
)
NOT_EMPTY = Message(
    th="มีโฟลเดอร์ {folder} ซึ่งไม่ว่างอยู่แล้ว จึงไม่เขียนทับ กรุณาเลือกชื่อหรือโฟลเดอร์อื่น",
    en="The folder {folder} is there already and is not empty: nothing was written, choose another name or folder.",
)
NOT_WRITTEN = Message(
    th="เขียนโฟลเดอร์ {folder} ไม่ได้ ({why}) กรุณาเลือกที่อื่น",
    en="The folder {folder} cannot be written ({why}): choose another place.",
)


def scaffold(name: str, folder: Path, language: Language) -> None:
    """Write the folder of a new HIS. Its statements can be run; they return no rows until they are filled in.

    Args:
        name: The future `his.kind`.
        folder: Created, with its parents.
        language: Of the comments.

    Raises:
        ConfigurationError: The name cannot be used, or the folder is not empty or cannot be written.
    """
    taken = sorted(path.name for path in BUILT_IN.iterdir() if path.is_dir())
    if not _NAME.fullmatch(name) or name in taken:
        raise ConfigurationError(BAD_NAME.fill(name=name, taken=", ".join(taken)))
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigurationError(NOT_EMPTY.fill(folder=folder))
    files = {file: _filled(file, name, language) for file in FILES}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(NOT_WRITTEN.fill(folder=folder, why=error.strerror)) from None


def _filled(file: str, name: str, language: Language) -> str:
    # Other delimiters than usual, as the files it writes are Jinja templates themselves.
    environment = Environment(  # noqa: S701 - SQL and TOML, not HTML
        loader=FileSystemLoader(SKELETON),
        undefined=StrictUndefined,
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    tables = {f"{table}.sql": table for table in TABLES}
    table = tables.get(file)
    return environment.get_template(file).render(
        name=name,
        maps=", ".join(MAPS),
        columns=columns(table) if table else (),
        meaning=_in_language(meanings(table), language) if table else {},
        kind={kind: message.say(language) for kind, message in KINDS.items()},
        needed=_NEEDED.say(language),
        parameter=_in_language(meanings("parameter"), language),
        function=_in_language(meanings("function"), language),
        of_day=OF_DAY,
        of_visits=OF_VISITS,
        of_labs=OF_LABS,
        of_diagnoses=OF_DIAGNOSES,
        say=lambda th, en: Message(th, en).say(language),
    )


def _in_language(messages: Mapping[str, Message], language: Language) -> dict[str, str]:
    return {name: message.say(language) for name, message in messages.items()}
