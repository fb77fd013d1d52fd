"""Settings of the hospital database and of workbooks. Only the database's address must be set."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class HisSettings(BaseModel):
    """How the hospital database is reached and read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = Field(
        default=SecretStr(""),
        description="Address of the hospital database, such as mysql://reader:password@10.0.0.5/hos, "
        "postgresql://… or sqlite:////path/file.db; use an account that may only read.",
    )
    kind: str = Field(
        default="hosxp",
        pattern=r"^[a-z0-9_]+$",
        description="Which hospital system it is: hosxp, jhcis, or the name of the site's own in sql_folder.",
    )
    sql_folder: Path | None = Field(
        default=None,
        description="The site's own folder of SQL files and his.toml, each replacing the built-in file of the same name.",
    )
    charset: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_]*$",
        description="Character set of a MySQL or MariaDB connection; empty: as the HIS's his.toml says. The server "
        "converts into it; servers older than 5.5.3 know no utf8mb4, they need utf8 or tis620.",
    )
    stored_charset: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_]*$",
        description="Character set that the text of a MySQL or MariaDB database really is in, where its columns say another "
        "(often tis620 in latin1 columns): the bytes are read as they lie. Empty: the columns say it rightly.",
    )
    connect_timeout_seconds: int = Field(
        default=10, ge=1, le=300, description="Seconds to wait for the database to answer the door."
    )
    statement_timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=3600,
        description="Seconds after which the database gives up one query of ours; empty: as the HIS's his.toml says.",
    )
    day_timeout_seconds: int = Field(
        default=1800, ge=1, le=86_400, description="Seconds after which reading one service day is given up."
    )
    most_rows_a_day: int = Field(
        default=200_000,
        ge=1,
        le=10_000_000,
        description="Most rows of one service day that one SQL file may give; with more the day is not read.",
    )
    most_megabytes_a_day: int = Field(
        default=64,
        ge=1,
        le=4096,
        description="Most that the database may send for one service day, in megabytes; with more the day is not read.",
    )
    day_pause_seconds: float = Field(
        default=0.0, ge=0, le=600, description="Seconds to rest between two service days, to spare a busy database."
    )
    refused_claim_statuses: tuple[str, ...] = Field(
        default=(),
        description="What HOSxP writes into claim_status_code or claim_status of a claim of its own that was refused, such as "
        '["9"]: the visit or dose is then ours to claim. No public text lists these statuses, so none is set: whatever has a '
        "transaction number counts as claimed.",
    )
    maps_folder: Path | None = Field(
        default=None,
        description="Folder of the site's own code maps (labs.csv, vaccines.csv, schemes.csv, nationalities.csv, "
        "marital_status.csv, occupations.csv), as `moph-claim his map` writes them: stronger than what the HIS says.",
    )


class WorkbookSettings(BaseModel):
    """Limits on reading a workbook, far above what an ordinary table needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_megabytes: int = Field(
        default=32, ge=1, le=1024, description="Largest workbook file that is read, in megabytes."
    )
    max_unpacked_megabytes: int = Field(
        default=400,
        ge=1,
        le=16384,
        description="Most that a workbook may hold once unpacked (.xlsx and .ods are packed), in megabytes.",
    )
    max_rows: int = Field(
        default=100_000,
        ge=1,
        le=1_048_576,
        description="Most rows of a workbook that are read, all its sheets together.",
    )
    max_columns: int = Field(default=200, ge=1, le=16_384, description="Most columns of a sheet that are read.")
    read_seconds: int = Field(
        default=120, ge=1, le=3600, description="Seconds after which reading a workbook is given up."
    )
    read_megabytes: int = Field(
        default=2048, ge=128, le=65536, description="Memory that reading a workbook may take, in megabytes."
    )
