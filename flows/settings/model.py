"""All settings in one place: each package declares its own, this composes them.

Read from `moph-claim.toml`, then `.env`, then the environment (`MOPH_CLAIM_API__PASSWORD`), the later winning. Where a
configuration has several facilities, `Settings.of` gives those of one: the packages below never see the others.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr
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
from flows.settings.keys import CONFIG_VARIABLE, FACILITIES, PREFIX, facility_variables, keys
from flows.settings.sections import FacilitySettings, InboxSettings, NightlySettings, OwnSettings, ServiceSettings
from load.settings import ApiSettings, AuditSettings, PrivacySettings, ReconcileSettings
from transform.settings import TransformSettings

CONFIG_FILE = "moph-claim.toml"


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
    nightly: NightlySettings = NightlySettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    privacy: PrivacySettings = PrivacySettings()
    workbook: WorkbookSettings = WorkbookSettings()
    inbox: InboxSettings = InboxSettings()
    service: ServiceSettings = ServiceSettings()
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
            raise _no_facility(facility, self.facilities)
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

    @property
    def has_his(self) -> bool:
        """Whether there is a hospital database to read; else all records come from workbooks."""
        return bool(self.his.url.get_secret_value())

    def inbox_folder(self) -> Path:
        """Where workbooks are put."""
        return self.data_folder / self.inbox.folder

    def reports_folder(self) -> Path:
        """Where reports are laid: those of one facility are not for the officers of another."""
        return self.data_folder / "reports" / self.facility_key

    def marks_folder(self) -> Path:
        """Where this machine marks how far the audit has come: never in the audit itself."""
        return self.data_folder / "audit-marks"

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
        known = [key for key, _ in keys(settings_cls)]
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                source.env_vars = facility_variables(file.toml_data, source.env_vars, known)
        return init_settings, env_settings, dotenv_settings, file


def config_file() -> Path:
    """The settings file in force, whether it is there or not."""
    return Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE)


def _no_facility(facility: str, names: Iterable[str]) -> ConfigurationError:
    """What is said when a facility is not among those of the configuration, or none was named."""
    there_are = ", ".join(names)
    if not there_are:
        return ConfigurationError(_ONE_ONLY.fill(facility=facility))
    return ConfigurationError((_UNKNOWN if facility else _WHICH).fill(facility=facility, names=there_are))


def _over(of_all: Any, own: Any) -> Any:
    """A section of all facilities, and over it what one of them has said itself."""
    return of_all.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


_ONE_ONLY = Message(
    "ไม่มีหน่วยบริการชื่อ {facility} การตั้งค่านี้มีหน่วยบริการเดียว ให้เว้นว่างไว้",
    "There is no facility {facility}: the configuration has one facility only, name none.",
)
_UNKNOWN = Message(
    "ไม่มีหน่วยบริการชื่อ {facility} ที่มีคือ {names}", "There is no facility {facility}; the configuration has {names}."
)
_WHICH = Message(
    "การตั้งค่ามีหลายหน่วยบริการ กรุณาระบุหน่วยหนึ่ง (--facility): {names}",
    "The configuration has several facilities, name one (--facility): {names}.",
)
