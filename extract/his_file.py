"""`his.toml`: what the four SQL files of a HIS's folder are written for, and what its codes mean."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import ConfigurationError
from core.messages import Message

NAME = "his.toml"

Server = Literal["mysql", "postgresql", "sqlite"]
MapName = Literal["labs", "vaccines", "schemes", "nationalities", "marital_status", "occupations"]


class HisFile(BaseModel):
    """The settings of a HIS's folder.

    Args:
        name: What people call the HIS.
        servers: The database servers its SQL is written for; mysql is MariaDB as well.
        charset: Character set of a MySQL or MariaDB connection, where the site sets none.
        statement_timeout_seconds: Seconds after which the database gives up one query of ours, where the site sets none.
        facility: One SELECT that gives hcode and hospital_name, one row.
        required: Tables and columns that the statements cannot do without, as "table.column".
        maps: What the codes that the SQL gives stand for, where they are not the claims' own: by map, code by code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    servers: tuple[Server, ...] = Field(min_length=1)
    charset: str = Field("utf8mb4", pattern=r"^[A-Za-z0-9_]+$")
    statement_timeout_seconds: int = Field(60, ge=1, le=3600)
    facility: str = Field(min_length=1)
    required: tuple[str, ...] = ()
    maps: dict[MapName, dict[str, str]] = Field(default_factory=dict)


def read_his_file(path: Path) -> HisFile:
    """The settings of a HIS's folder.

    Args:
        path: A `his.toml`.

    Raises:
        ConfigurationError: It is not there, is no TOML, or holds what it should not; says which key.
    """
    try:
        return HisFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        th, en = "ไม่พบไฟล์", "it is not there"
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        th, en = "ไม่ใช่ TOML แบบ UTF-8", "it is no TOML in UTF-8"
    except ValidationError as error:
        key = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        th, en = f"ค่า {key}", f"the value {key}"
    raise ConfigurationError(
        Message(
            th="ใช้ไฟล์ {path} ไม่ได้ ({th}) กรุณาแก้ไขไฟล์ หรือตรวจค่า his.kind และ his.sql_folder",
            en="The file {path} cannot be used ({en}): mend it, or check the settings his.kind and his.sql_folder.",
        ).fill(path=path, th=th, en=en)
    )
