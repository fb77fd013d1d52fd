"""The site's settings for making claims."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class TransformSettings(BaseModel):
    """How records become claims. Values that the ministry has not documented are settings, never constants in code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    codes_folder: Path | None = Field(
        default=None,
        description="A folder of the site's own code lists; a file in it replaces the program's file of the same name.",
    )
    labs_of_day: bool = Field(
        default=False,
        description="Whether a result at another visit of the same person and day counts for the visit that has the diagnosis. "
        "Off: such a visit is listed and waits, for whether the fund pays for it is not documented.",
    )
    dose_quantity: str = Field(
        default="1",
        min_length=1,
        max_length=10,
        pattern=r"^[0-9]+(\.[0-9]+)?$",
        description="What is sent as the quantity of a vaccine dose (count, dose number or mL is not documented).",
    )
    site_code: str = Field(
        default="",
        max_length=20,
        description="What is sent as the body site of a vaccination; the code list is not documented, empty is taken.",
    )
    route_code: str = Field(
        default="",
        max_length=20,
        description="What is sent as the route of a vaccination; the code list is not documented, empty is taken.",
    )
