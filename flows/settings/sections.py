"""The settings that no other package declares, and those that each of several facilities may set for itself."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from extract.settings import HisSettings
from load.settings import ApiSettings
from transform.settings import TransformSettings

HostName = Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})$")]
"""A name or an address without a port; an IPv6 address in brackets."""


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


class NightlySettings(BaseModel):
    """What the nightly run reads besides its seven days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open_days: int = Field(
        default=60,
        ge=0,
        le=400,
        description="How many days back the nightly run reads the visits again that wait for something: of claims that were not "
        "taken, and of records that could not be claimed and may have been mended; 0: none besides its seven days.",
    )
    open_visits: int = Field(
        default=2000,
        ge=0,
        le=100000,
        description="How many visits of records that could not be claimed it reads again at most, those not read for longest "
        "first. Visits of claims are always read.",
    )


class ServiceSettings(BaseModel):
    """How `moph-claim up` serves its pages and watches over runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host_names: tuple[HostName, ...] = Field(
        default=(),
        description="Further names by which browsers call the pages, as a proxy's; a request by any other name than these "
        "and this machine's own address is refused.",
    )
    longest_run_hours: float = Field(
        default=6,
        gt=0,
        le=240,
        description="A run that takes longer is ended; the next one goes on where it was.",
    )
    waiting_minutes: float = Field(
        default=60,
        gt=0,
        le=10080,
        description="`moph-claim up` tells of a run that waits longer than this for its turn.",
    )


class OwnSettings(BaseModel):
    """What one of several facilities has for itself; the rest is that of all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    facility: FacilitySettings = FacilitySettings()
    his: HisSettings = HisSettings()
    transform: TransformSettings = TransformSettings()
    api: ApiSettings = ApiSettings()
    inbox: InboxSettings = InboxSettings()
