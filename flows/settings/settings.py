"""All settings in one place: each room declares its own, this composes them.

Read from `moph-claim.toml`, then `.env`, then the environment (`MOPH_CLAIM_API__PASSWORD`), the later winning. Where a
configuration has several facilities, `Settings.of` gives those of one: below this room nobody knows of the others.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, Field, PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from core.errors import ConfigurationError
from core.messages import Language, Message
from extract.settings import HisSettings, WorkbookSettings
from flows.settings.facilities import (
    FacilitySettings,
    InboxSettings,
    OwnSettings,
    as_in_variables,
    no_facility,
    refuse_alike,
    refuse_names,
)
from load.settings import ApiSettings, AuditSettings, ReconcileSettings
from transform.settings import TransformSettings

PREFIX = "MOPH_CLAIM_"
CONFIG_VARIABLE = "MOPH_CLAIM_CONFIG"
# Where the service was started: its runs look for the settings there.
FOLDER_VARIABLE = "MOPH_CLAIM_FOLDER"
CONFIG_FILE = "moph-claim.toml"
FACILITIES = "facilities"


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
    workbook: WorkbookSettings = WorkbookSettings()
    inbox: InboxSettings = InboxSettings()
    facilities: dict[str, OwnSettings] = Field({}, description="Where there are several: what each has for itself.")

    _key: str = PrivateAttr("")

    @property
    def facility_key(self) -> str:
        """The facility's name among several; empty where the configuration has one only."""
        return self._key

    def of(self, facility: str = "") -> "Settings":
        """The settings of one facility, as if there were no other.

        Args:
            facility: Its name in the table `facilities`; empty where there is one only.

        Raises:
            ConfigurationError: There is no such facility, or there are several and none was named.
        """
        if not facility and len(self.facilities) < 2:
            facility = next(iter(self.facilities), "")
        if not (facility or self.facilities):
            return self
        if facility not in [*self.facilities]:  # a flow may be told anything
            raise no_facility(facility, self.facilities)
        own = self.facilities[facility]
        parts = {name: _over(getattr(self, name), getattr(own, name)) for name in OwnSettings.model_fields}
        if "folder" not in own.inbox.model_fields_set:
            parts["inbox"] = parts["inbox"].model_copy(update={"folder": self.inbox.folder / facility})
        one = self.model_copy(update={**parts, FACILITIES: {}})
        one._key = facility
        return one

    def each(self) -> "list[Settings]":
        """The settings of every facility; where the configuration has one only, these."""
        return [self.of(name) for name in self.facilities] or [self]

    def inbox_folder(self) -> Path:
        """Where workbooks are put."""
        return self.data_folder / self.inbox.folder

    def reports_folder(self) -> Path:
        """Where reports are laid: those of one facility are not for the officers of another."""
        return self.data_folder / "reports" / self.facility_key

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
        file = TomlConfigSettingsSource(settings_cls, config_file())
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                source.env_vars = _of_facilities_in(file.toml_data, source.env_vars)
        return init_settings, env_settings, dotenv_settings, file


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
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        key = [str(part) for part in first["loc"]]
        raise ConfigurationError(
            _wrong(".".join(key), first["type"], key[1:2] if key[0] == FACILITIES else ())
        ) from None
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        what = str(error) if isinstance(error, tomllib.TOMLDecodeError) else type(error).__name__
        raise ConfigurationError(
            Message(f"อ่านไฟล์ตั้งค่า {path} ไม่ได้ ({what})", f"The settings file {path} cannot be read ({what}).")
        ) from None
    # Wherever the command is called from, the audit lies beside the settings.
    settings = settings.model_copy(update={"data_folder": (path.parent / settings.data_folder).absolute()})
    refuse_names(settings.facilities)
    refuse_alike(settings.each())
    return settings


def use_only(config: Path) -> None:
    """Let the settings come from this file (and the `.env` beside it) alone, for this process and its children."""
    for name in [n for n in os.environ if n.upper().startswith(PREFIX)]:
        del os.environ[name]
    os.environ[CONFIG_VARIABLE] = str(config.absolute())


def keys(model: type[BaseModel] = Settings, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every settable key, dotted, with its field; those of one of several facilities: see `own_keys`."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{above}{name}.")
        elif get_origin(inner) is not dict:
            yield f"{above}{name}", field


def own_keys(facility: str) -> Iterator[tuple[str, Any]]:
    """Every settable key of one of several facilities, likewise."""
    return keys(OwnSettings, f"{FACILITIES}.{facility}.")


def in_force(settings: Settings) -> Iterator[tuple[str, object]]:
    """Every key with its value: of all facilities, then what each of several has said for itself."""
    for key, _ in keys():
        section, _, name = key.rpartition(".")
        yield key, getattr(getattr(settings, section) if section else settings, name)
    for facility, own in settings.facilities.items():
        for section in OwnSettings.model_fields:
            said = getattr(own, section)
            names = [name for name in type(said).model_fields if name in said.model_fields_set]
            yield from ((f"{FACILITIES}.{facility}.{section}.{name}", getattr(said, name)) for name in names)


def variable(key: str) -> str:
    """The environment variable that sets a key."""
    return PREFIX + as_in_variables(key).replace(".", "__").upper()


def _over(of_all: Any, own: Any) -> Any:
    """A section of all facilities, and over it what one of them has said itself."""
    return of_all.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


def _of_facilities_in(file: Mapping[str, Any], variables: Mapping[str, str | None]) -> dict[str, str | None]:
    """The variables (names in lower case), those of facilities under the names that these have in the file.

    Raises:
        ConfigurationError: One is of a facility that the file does not name, or of a setting it does not have.
    """
    begins = f"{PREFIX}{FACILITIES}".lower()
    named = file.get(FACILITIES)
    names = list(named) if isinstance(named, dict) else []
    known = {variable(key).lower(): key for name in names for key, _ in own_keys(name)}
    found = {}
    for name, value in variables.items():
        if name.startswith(begins) and name not in known:
            raise ConfigurationError(_wrong(name.upper(), "extra_forbidden", names))
        found[f"{PREFIX}{known[name].replace('.', '__')}".lower() if name in known else name] = value
    return found


def _refuse_unknown_variables() -> None:
    known = {variable(key) for key, _ in keys()} | {CONFIG_VARIABLE, FOLDER_VARIABLE}
    of_facilities = f"{PREFIX}{FACILITIES}".upper()  # looked at once it is known which there are
    for name in os.environ:
        ours = name.upper().startswith(PREFIX) and not name.upper().startswith(of_facilities)
        if ours and name.upper() not in known:
            raise ConfigurationError(_wrong(name, "extra_forbidden"))


def _wrong(key: str, reason: str, facilities: Iterable[str] = ()) -> Message:
    if reason != "extra_forbidden":
        return Message(
            f"ค่าของ {key} ใช้ไม่ได้ กรุณาดูค่าที่ใช้ได้ใน docs/settings.md",
            f"The value of {key} cannot be used: see docs/settings.md for what can.",
        )
    there_are = [k for k, _ in keys()] + [k for name in facilities for k, _ in own_keys(name)]
    names = there_are + [variable(k) for k in there_are]
    near = difflib.get_close_matches(key, names, n=1)
    return Message(
        f"ไม่มีการตั้งค่าชื่อ {key}" + (f" หมายถึง {near[0]} หรือไม่" if near else " กรุณาดูรายชื่อใน docs/settings.md"),
        f"There is no setting {key}; " + (f"did you mean {near[0]}?" if near else "docs/settings.md lists them."),
    )
