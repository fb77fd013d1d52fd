"""`his.toml`, the settings of a HIS's folder: which servers its SQL is written for, and what its codes mean."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import ConfigurationError
from core.messages import Message

NAME = "his.toml"

Server = Literal["mysql", "postgresql", "sqlite"]
MapName = Literal["labs", "vaccines", "schemes", "nationalities", "marital_status", "occupations"]
ClaimKind = Literal["dm", "ht", "epi", "dt"]
ClaimType = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]


class HisFile(BaseModel):
    """The settings of a HIS's folder.

    Args:
        name: The HIS's name for people.
        servers: The database servers its SQL is written for; mysql includes MariaDB.
        charset: Character set of a MySQL or MariaDB connection, unless the site sets one.
        statement_timeout_seconds: Seconds after which the server cancels a query, unless the site sets a time-out.
        facility: A SELECT of one row with hcode and hospital_name.
        required: Tables and columns that the statements need, as "table.column".
        maps: Translations of the HIS's codes into the codes of claims, by map.
        claim_types: The kinds of claim that a transaction of the HIS's own is about, by its type; of another type: all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    servers: tuple[Server, ...] = Field(min_length=1)
    charset: str = Field("utf8mb4", pattern=r"^[A-Za-z0-9_]+$")
    statement_timeout_seconds: int = Field(60, ge=1, le=3600)
    facility: str = Field(min_length=1)
    required: tuple[str, ...] = ()
    maps: dict[MapName, dict[str, str]] = Field(default_factory=dict)
    claim_types: dict[ClaimType, tuple[ClaimKind, ...]] = Field(default_factory=dict)


def read_his_file(path: Path) -> HisFile:
    """Read a `his.toml`.

    Args:
        path: The file.

    Raises:
        ConfigurationError: It is missing, is not TOML, or has a wrong value; names the key.
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
