"""A HIS is a folder of SQL files. Jinja shapes a statement to the tables that exist; values are bound, never written in.

A file may use `has("table", "table.column")` and `wanted` (see `extract.contract.Wanted`) for its structure, and the
bound parameters of `PARAMETERS` for its values.
"""

import csv
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import sqlalchemy as sa
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from extract.contract import Wanted
from extract.errors import ConfigurationError
from extract.messages import Message

_SELECT = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)

BUILT_IN = Path(__file__).with_name("sql")
_DAYS = ("day", "buddhist_day", "zero_day", "first_buddhist_day")
_LISTS = ("visits", "icd10_prefixes", "first_time_icd10", "lab_codes", "mapped_labs")
PARAMETERS = {name: sa.bindparam(name, type_=sa.Date()) for name in _DAYS} | {
    name: sa.bindparam(name, type_=sa.String(), expanding=True) for name in _LISTS
}
"""What a statement may ask for: the service day (also 543 years on, as some sites store it), days that are no dates,
the first day that can only be a Buddhist one, the visits' numbers, and lists of codes (the last: the site's own lab
items that its lab map names)."""


class Statements:
    """The SQL files of one HIS: the site's own first, the built-in ones otherwise.

    Args:
        kind: The built-in folder, such as "hosxp".
        own_folder: The site's folder, or None.

    Raises:
        ConfigurationError: The site's folder is not there.
    """

    def __init__(self, kind: str, own_folder: Path | None = None) -> None:
        if own_folder is not None and not own_folder.is_dir():
            raise ConfigurationError(
                Message(
                    th="ไม่พบโฟลเดอร์ SQL {folder} กรุณาตรวจค่า his.sql_folder",
                    en="There is no SQL folder {folder}: check the setting his.sql_folder.",
                ).fill(folder=own_folder)
            )
        self.folders = [*([own_folder] if own_folder else []), BUILT_IN / kind]
        self._templates = SandboxedEnvironment(
            loader=FileSystemLoader(self.folders), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )

    def path(self, name: str) -> Path:
        """The file that counts for this name, whether or not it exists."""
        paths = [folder / name for folder in self.folders]
        return next((path for path in paths if path.is_file()), paths[0])

    def statement(self, name: str, has: Callable[..., bool], wanted: Wanted) -> sa.TextClause:
        """One SELECT, shaped to this database, its parameters declared.

        Args:
            name: The file's name, such as "visits.sql".
            has: Says whether tables and columns exist.
            wanted: What the kinds of claim need.

        Raises:
            ConfigurationError: The file is missing, is no template, is no SELECT, or asks for an unknown parameter.
        """
        try:
            sql = self._templates.get_template(name).render(has=has, wanted=wanted).strip()
        except TemplateNotFound:
            raise self._unusable(name, "ไม่พบไฟล์", "it is not there") from None
        except TemplateSyntaxError as error:
            raise self._unusable(name, f"บรรทัด {error.lineno}", f"line {error.lineno}") from None
        except (TemplateError, UnicodeDecodeError, TypeError):
            raise self._unusable(name, "แม่แบบผิดรูป", "the template is wrong") from None
        if not _SELECT.match(sql):
            raise self._unusable(name, "ต้องเป็นคำสั่ง SELECT คำสั่งเดียว", "it must be one SELECT")
        clause = sa.text(sql)
        names = set(clause.compile().params)
        if unknown := names - set(PARAMETERS):
            listed = ", ".join(sorted(unknown))
            raise self._unusable(name, f"ไม่รู้จักพารามิเตอร์ {listed}", f"unknown parameter {listed}")
        return clause.bindparams(*(PARAMETERS[name] for name in names))

    def required(self) -> list[str]:
        """The tables and columns the folder says it cannot do without, as "table.column" (`required.csv`)."""
        path = self.path("required.csv")
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            rows: list[Mapping[str, str]] = list(csv.DictReader(file))
        return [f"{row['table']}.{row['column']}" for row in rows]

    def _unusable(self, name: str, th: str, en: str) -> ConfigurationError:
        return ConfigurationError(
            Message(
                th=f"ใช้ไฟล์ SQL {self.path(name)} ไม่ได้ ({th}) กรุณาแก้ไขไฟล์ หรือตรวจค่า his.kind และ his.sql_folder",
                en=f"The SQL file {self.path(name)} cannot be used ({en}): "
                "mend it, or check the settings his.kind and his.sql_folder.",
            )
        )
