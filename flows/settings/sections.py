"""The settings that no other package declares, and those that each of several facilities may set for itself."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from extract.settings import HisSettings
from load.settings import ApiSettings
from transform.settings import TransformSettings


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
