"""Facilities as a configuration has them: what each may have for itself where there are several, and what tells them apart."""

import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from core.errors import ConfigurationError
from core.messages import Message
from extract.settings import HisSettings
from load.settings import ApiSettings
from transform.settings import TransformSettings

if TYPE_CHECKING:
    from flows.settings.settings import Settings

# One dash or underscore at a time: two underscores stand between the parts of a variable's name.
_NAME = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")

SAME_HCODE = Message(
    "หน่วยบริการ {one} และ {other} มีรหัส {hcode} เดียวกันในสภาพแวดล้อม {environment} กรุณาแก้ facility.hcode ของหน่วยหนึ่ง หรือลบออก",
    "The facilities {one} and {other} have the same hcode {hcode} in the environment {environment}: correct "
    "facility.hcode of one of them, or remove it.",
)


class FacilitySettings(BaseModel):
    """Whose claims these are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hcode: str = Field(
        default="", pattern=r"^([0-9]{5})?$", description="The facility's 5-digit code; empty: the one the HIS names."
    )
    name: str = Field(
        default="",
        max_length=255,
        description="The facility's name for claims of workbooks, as the HIS spells it; empty: the one the HIS names.",
    )


class InboxSettings(BaseModel):
    """Where workbooks are put to be imported by themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(
        default=Path("inbox"),
        description="The folder; imported files end in its folders done and failed, each beside its result. A relative "
        "path lies in the data folder.",
    )
    settle_seconds: float = Field(
        default=3, ge=0, le=600, description="How long a file must have lain unchanged before it is taken."
    )


class OwnSettings(BaseModel):
    """What one of several facilities has for itself; the rest is that of all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    facility: FacilitySettings = FacilitySettings()
    his: HisSettings = HisSettings()
    transform: TransformSettings = TransformSettings()
    api: ApiSettings = ApiSettings()
    inbox: InboxSettings = InboxSettings()


def as_in_variables(name: str) -> str:
    """A facility's name as variables spell it: no shell takes a dash there."""
    return name.replace("-", "_")


def refuse_names(names: Iterable[str]) -> None:
    """Refuse names that cannot be part of a variable's.

    Raises:
        ConfigurationError: One cannot.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(_BAD_NAME.fill(name=name))


def refuse_alike(facilities: Sequence["Settings"]) -> None:
    """Refuse facilities that cannot be told apart: by name, by the claims they send, by the inbox they look into.

    Args:
        facilities: The settings of each.

    Raises:
        ConfigurationError: Two cannot.
    """
    for one, other in combinations(facilities, 2):
        pair = {"one": one.facility_key, "other": other.facility_key}
        if as_in_variables(one.facility_key) == as_in_variables(other.facility_key):
            raise ConfigurationError(_SAME_NAME.fill(**pair))
        environment, hcode = one.api.environment, one.facility.hcode
        if hcode and (environment, hcode) == (other.api.environment, other.facility.hcode):
            raise ConfigurationError(SAME_HCODE.fill(**pair, hcode=hcode, environment=environment))
        folder, others = one.inbox_folder(), other.inbox_folder()
        if folder.is_relative_to(others) or others.is_relative_to(folder):
            raise ConfigurationError(_SAME_INBOX.fill(**pair, folder=folder))


def no_facility(facility: str, names: Iterable[str]) -> ConfigurationError:
    """What is said when a facility is not among those of the configuration, or none was named."""
    there_are = ", ".join(names)
    if not there_are:
        return ConfigurationError(_ONE_ONLY.fill(facility=facility))
    return ConfigurationError((_UNKNOWN if facility else _WHICH).fill(facility=facility, names=there_are))


_BAD_NAME = Message(
    "ชื่อหน่วยบริการ facilities.{name} ใช้ไม่ได้ ใช้ a-z 0-9 และขีดเดี่ยว - หรือ _ ระหว่างคำ เช่น health-centre",
    "The name facilities.{name} cannot be used: it is of small letters and digits, with a single dash or underscore "
    "between words, as in health-centre.",
)
_SAME_NAME = Message(
    "ชื่อหน่วยบริการ {one} และ {other} เขียนเหมือนกันในชื่อตัวแปร กรุณาเปลี่ยนชื่อหนึ่ง",
    "The facilities {one} and {other} are spelt alike in the names of variables: give one of them another name.",
)
_SAME_INBOX = Message(
    "หน่วยบริการ {one} และ {other} ใช้โฟลเดอร์ inbox เดียวกันหรือซ้อนกัน ({folder}) กรุณาแก้ inbox.folder ของหน่วยหนึ่ง",
    "The inboxes of the facilities {one} and {other} are the same folder, or one lies in the other ({folder}): correct "
    "inbox.folder of one of them.",
)
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
