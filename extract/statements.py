"""A HIS is a folder of SQL files. Jinja renders each statement for the tables that exist; values are bound.

For its structure a file may use `has("table", "table.column")`, `indexed("table.column")`, `wanted` (see
`extract.contract.Wanted`), `reviewed` (the names of the site's own code maps), `claim_types` (of his.toml), `by_visit` (whether
visits are named, or a whole day is read) and `quoted("name")` (for names that are SQL keywords); for its values the bound
parameters of `PARAMETERS`.
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

OF_ONE_DAY = frozenset({"day", "buddhist_day"})
"""The parameters that only a statement about one service day has."""
OF_NAMED_VISITS = frozenset({"visits", "visit_numbers"})
"""The parameters that only a statement about named visits has."""

_SELECT = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)

BUILT_IN = Path(__file__).with_name("sql")
_DAYS = ("day", "buddhist_day", "zero_day", "first_buddhist_day")
_CODES = ("icd10_prefixes", "first_time_icd10", "lab_codes", "mapped_labs", "decided_labs", "refused_statuses")
_LISTS = ("visits", *_CODES, "persons", "identity_numbers")
_NUMBERS = ("visit_numbers", "person_numbers")
PARAMETERS = (
    {name: sa.bindparam(name, type_=sa.Date()) for name in _DAYS}
    | {name: sa.bindparam(name, type_=sa.String(), expanding=True) for name in _LISTS}
    | {name: sa.bindparam(name, type_=sa.BigInteger(), expanding=True) for name in _NUMBERS}
)
"""The parameters of statements: the service day (also in the Buddhist year, as some sites store it), the last day that
means "no date", the first day of Buddhist years, visit numbers (as text and as integers), lists of codes, and of persons
the facility's numbers (as text and as integers) and identity numbers.
`mapped_labs` are the site's lab items that its map translates into wanted codes, `decided_labs` all items in its map;
`refused_statuses` are those that the HIS gives claims of its own that were refused."""

FACILITY = "facility"
"""The statement that is in his.toml, not in a file of its own."""


class Statements:
    """The files of one HIS: the site's own where there is one, else the built-in one.

    Attributes:
        his: Its his.toml.

    Args:
        kind: The built-in folder, such as "hosxp".
        own_folder: The site's folder, or None.

    Raises:
        ConfigurationError: The site's folder is missing, or its his.toml cannot be used.
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
        """The file used for this name; the site's path if none exists."""
        paths = [folder / name for folder in self.folders]
        return next((path for path in paths if path.is_file()), paths[0])

    def statement(
        self,
        name: str,
        has: Callable[..., bool],
        wanted: Wanted,
        *,
        indexed: Callable[[str], bool],
        quoted: Callable[[str], str],
        reviewed: Collection[MapName] = (),
        by_visit: bool = False,
    ) -> sa.TextClause:
        """One SELECT, rendered for this database, with its parameters declared.

        Args:
            name: The file's name, such as "visits.sql", or FACILITY.
            has: Whether tables and columns exist.
            wanted: What the kinds of claim need.
            indexed: Whether an index begins with a column.
            quoted: Quotes a name for this server.
            reviewed: The site's own code maps.
            by_visit: Whether visits are named.

        Raises:
            ConfigurationError: The file is missing, is not a template or not a SELECT, or has an unknown parameter.
        """
        try:
            template = (
                self._templates.from_string(self.his.facility)
                if name == FACILITY
                else self._templates.get_template(name)
            )
            sql = template.render(
                has=has,
                indexed=indexed,
                wanted=wanted,
                quoted=quoted,
                reviewed=reviewed,
                claim_types=self.his.claim_types,
                by_visit=by_visit,
            ).strip()
        except TemplateNotFound:
            raise self._unusable(name, "ไม่พบไฟล์", "it is not there") from None
        except TemplateSyntaxError as error:
            raise self._unusable(name, f"บรรทัด {error.lineno}", f"line {error.lineno}") from None
        except UnicodeDecodeError:
            raise self._unusable(name, "ไม่ใช่ UTF-8", "it is not UTF-8") from None
        except (MophClaimError, SQLAlchemyError):  # raised by `has` while it queries the database
            raise
        except Exception as error:  # an expression in a template may raise anything
            wrong = error.message if isinstance(error, TemplateError) else type(error).__name__
            raise self._unusable(name, f"แม่แบบผิดรูป: {wrong}", f"the template is wrong: {wrong}") from None
        if not _SELECT.match(sql):
            raise self._unusable(name, "ต้องเป็นคำสั่ง SELECT คำสั่งเดียว", "it must be one SELECT")
        clause = sa.text(sql)
        names = set(clause.compile().params)
        if unknown := names - set(PARAMETERS):
            listed = ", ".join(sorted(unknown))
            raise self._unusable(name, f"ไม่รู้จักพารามิเตอร์ {listed}", f"unknown parameter {listed}")
        if not by_visit and (named := names & OF_NAMED_VISITS):
            listed = ", ".join(sorted(named))
            raise self._unusable(name, f"ใช้ {listed} เมื่ออ่านทั้งวัน", f"it uses {listed} where a whole day is read")
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
