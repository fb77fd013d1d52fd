"""A HIS is a folder of SQL files. Jinja shapes a statement to the tables that exist; values are bound, never written in.

A file may use `has("table", "table.column")`, `wanted` (see `extract.contract.Wanted`), `reviewed` (the names of the
site's own code maps) and `quoted("name")` (a name that is a word of SQL) for its structure, and the bound parameters of
`PARAMETERS` for its values.
"""

import re
from collections.abc import Callable, Collection
from pathlib import Path

import sqlalchemy as sa
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment
from sqlalchemy.exc import SQLAlchemyError

from core.errors import ConfigurationError, MophClaimError
from core.messages import Message
from extract import his_file
from extract.contract import Wanted
from extract.his_file import MapName, read_his_file

_SELECT = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)

BUILT_IN = Path(__file__).with_name("sql")
_DAYS = ("day", "buddhist_day", "zero_day", "first_buddhist_day")
_LISTS = ("visits", "icd10_prefixes", "first_time_icd10", "lab_codes", "mapped_labs", "decided_labs")
PARAMETERS = (
    {name: sa.bindparam(name, type_=sa.Date()) for name in _DAYS}
    | {name: sa.bindparam(name, type_=sa.String(), expanding=True) for name in _LISTS}
    | {"visit_numbers": sa.bindparam("visit_numbers", type_=sa.BigInteger(), expanding=True)}
)
"""What a statement may ask for: the service day (also 543 years on, as some sites store it), days that are no dates,
the first day that can only be a Buddhist one, the visits' numbers (as text, or as integers), and lists of codes (the last two: the site's own lab
items that its map says are wanted, and those it says anything of)."""

FACILITY = "facility"
"""The statement that stands in the HIS's settings file."""


class Statements:
    """The files of one HIS: the site's own first, the built-in ones otherwise.

    Attributes:
        his: What its settings file says.

    Args:
        kind: The built-in folder, such as "hosxp".
        own_folder: The site's folder, or None.

    Raises:
        ConfigurationError: The site's folder is not there, or the settings file cannot be used.
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
        self.his = read_his_file(self.path(his_file.NAME))
        self._templates = SandboxedEnvironment(
            loader=FileSystemLoader(self.folders, encoding="utf-8-sig"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def path(self, name: str) -> Path:
        """The file that counts for this name, whether or not it exists."""
        paths = [folder / name for folder in self.folders]
        return next((path for path in paths if path.is_file()), paths[0])

    def statement(
        self,
        name: str,
        has: Callable[..., bool],
        wanted: Wanted,
        *,
        quoted: Callable[[str], str],
        reviewed: Collection[MapName] = (),
    ) -> sa.TextClause:
        """One SELECT, shaped to this database, its parameters declared.

        Args:
            name: The file's name, such as "visits.sql", or FACILITY.
            has: Says whether tables and columns exist.
            wanted: What the kinds of claim need.
            quoted: Writes a name as this server wants it.
            reviewed: The site's own code maps.

        Raises:
            ConfigurationError: The file is missing, is no template, is no SELECT, or asks for an unknown parameter.
        """
        try:
            template = (
                self._templates.from_string(self.his.facility)
                if name == FACILITY
                else self._templates.get_template(name)
            )
            sql = template.render(has=has, wanted=wanted, quoted=quoted, reviewed=reviewed).strip()
        except TemplateNotFound:
            raise self._unusable(name, "ไม่พบไฟล์", "it is not there") from None
        except TemplateSyntaxError as error:
            raise self._unusable(name, f"บรรทัด {error.lineno}", f"line {error.lineno}") from None
        except UnicodeDecodeError:
            raise self._unusable(name, "ไม่ใช่ UTF-8", "it is not UTF-8") from None
        except (MophClaimError, SQLAlchemyError):  # what `has` meets in the database
            raise
        except Exception as error:  # whatever a template's expression may do
            wrong = error.message if isinstance(error, TemplateError) else type(error).__name__
            raise self._unusable(name, f"แม่แบบผิดรูป: {wrong}", f"the template is wrong: {wrong}") from None
        if not _SELECT.match(sql):
            raise self._unusable(name, "ต้องเป็นคำสั่ง SELECT คำสั่งเดียว", "it must be one SELECT")
        clause = sa.text(sql)
        names = set(clause.compile().params)
        if unknown := names - set(PARAMETERS):
            listed = ", ".join(sorted(unknown))
            raise self._unusable(name, f"ไม่รู้จักพารามิเตอร์ {listed}", f"unknown parameter {listed}")
        return clause.bindparams(*(PARAMETERS[name] for name in names))

    def _unusable(self, name: str, th: str, en: str) -> ConfigurationError:
        path = self.path(his_file.NAME if name == FACILITY else name)
        return ConfigurationError(
            Message(
                th=f"ใช้ไฟล์ SQL {path} ไม่ได้ ({th}) กรุณาแก้ไขไฟล์ หรือตรวจค่า his.kind และ his.sql_folder",
                en=f"The SQL file {path} cannot be used ({en}): "
                "mend it, or check the settings his.kind and his.sql_folder.",
            )
        )
