"""All settings in one place: each room declares its own, this composes them.

Read from `moph-claim.toml`, then `.env`, then the environment (`MOPH_CLAIM_API__PASSWORD`), the later winning.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from extract.errors import ConfigurationError
from extract.messages import Language, Message
from extract.settings import HisSettings
from load.settings import ApiSettings, AuditSettings, ReconcileSettings
from transform.settings import TransformSettings

PREFIX = "MOPH_CLAIM_"
CONFIG_VARIABLE = "MOPH_CLAIM_CONFIG"
# Where the service was started: its runs look for the settings there.
FOLDER_VARIABLE = "MOPH_CLAIM_FOLDER"
CONFIG_FILE = "moph-claim.toml"


class FacilitySettings(BaseModel):
    """Whose claims these are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hcode: str = Field(
        default="", pattern=r"^([0-9]{5})?$", description="The facility's 5-digit code; empty: the one the HIS names."
    )


class Settings(BaseSettings):
    """The settings in force."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    language: Language = Field("th", description="Language of the terminal, the reports and the artifacts: th or en.")
    data_folder: Path = Field(Path("var"), description="Where the audit file, the reports and Prefect's own files lie.")
    facility: FacilitySettings = FacilitySettings()
    his: HisSettings = HisSettings()
    transform: TransformSettings = TransformSettings()
    api: ApiSettings = ApiSettings()
    audit: AuditSettings = AuditSettings()
    reconcile: ReconcileSettings = ReconcileSettings()

    def audit_url(self) -> str:
        """The audit database in force."""
        return self.audit.url.get_secret_value() or f"sqlite:///{self.data_folder.absolute() / 'audit.sqlite'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before `.env` before `moph-claim.toml`."""
        if isinstance(dotenv_settings, DotEnvSettingsSource):
            # Prefect and others read the same file; names that look like ours stay, so that a misspelt one is refused.
            ours = {name: value for name, value in dotenv_settings.env_vars.items() if name.startswith("moph")}
            dotenv_settings.env_vars = ours
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls, config_file())


def config_file() -> Path:
    """The settings file in force, whether it is there or not."""
    return Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE)


def read_settings() -> Settings:
    """The settings in force.

    Raises:
        ConfigurationError: A key is unknown or a value impossible; says which, never its value.
    """
    path = config_file()
    if CONFIG_VARIABLE in os.environ and not path.is_file():
        raise ConfigurationError(
            Message(
                f"ไม่พบไฟล์ตั้งค่า {path} กรุณาตรวจสอบ {CONFIG_VARIABLE}",
                f"The settings file {path} is not there: check {CONFIG_VARIABLE}.",
            )
        )
    _refuse_unknown_variables()
    try:
        settings = Settings(_env_file=path.parent / ".env")
        # Wherever the command is called from, the audit lies beside the settings.
        return settings.model_copy(update={"data_folder": (path.parent / settings.data_folder).absolute()})
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        raise ConfigurationError(_wrong(".".join(str(p) for p in first["loc"]), first["type"])) from None
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        what = str(error) if isinstance(error, tomllib.TOMLDecodeError) else type(error).__name__
        raise ConfigurationError(
            Message(f"อ่านไฟล์ตั้งค่า {path} ไม่ได้ ({what})", f"The settings file {path} cannot be read ({what}).")
        ) from None


def use_only(config: Path) -> None:
    """Let the settings come from this file (and the `.env` beside it) alone, for this process and its children."""
    for name in [n for n in os.environ if n.upper().startswith(PREFIX)]:
        del os.environ[name]
    os.environ[CONFIG_VARIABLE] = str(config.absolute())


def keys(model: type[BaseModel] = Settings, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every settable key, dotted, with its field."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}", field


def variable(key: str) -> str:
    """The environment variable that sets a key."""
    return PREFIX + key.replace(".", "__").upper()


def _refuse_unknown_variables() -> None:
    known = {variable(key) for key, _ in keys()} | {CONFIG_VARIABLE, FOLDER_VARIABLE}
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise ConfigurationError(_wrong(name, "extra_forbidden"))


def _wrong(key: str, reason: str) -> Message:
    if reason != "extra_forbidden":
        return Message(
            f"ค่าของ {key} ใช้ไม่ได้ กรุณาดูค่าที่ใช้ได้ใน docs/settings.md",
            f"The value of {key} cannot be used: see docs/settings.md for what can.",
        )
    names = [k for k, _ in keys()] + [variable(k) for k, _ in keys()]
    near = difflib.get_close_matches(key, names, n=1)
    return Message(
        f"ไม่มีการตั้งค่าชื่อ {key}" + (f" หมายถึง {near[0]} หรือไม่" if near else " กรุณาดูรายชื่อใน docs/settings.md"),
        f"There is no setting {key}; " + (f"did you mean {near[0]}?" if near else "docs/settings.md lists them."),
    )
