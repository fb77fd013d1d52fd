"""What can be set about the hospital database. Nothing here has to be set but its address."""

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
        description="Which hospital system it is: the name of a folder of SQL.",
    )
    sql_folder: Path | None = Field(
        default=None,
        description="The site's own folder of SQL files, each replacing the built-in file of the same name.",
    )
    charset: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_]*$",
        description="Character set of a MySQL or MariaDB connection; empty means utf8mb4, into which the server converts, "
        "and servers older than 5.5.3 need utf8 or tis620.",
    )
    connect_timeout_seconds: int = Field(
        default=10, ge=1, le=300, description="Seconds to wait for the database to answer the door."
    )
    statement_timeout_seconds: int = Field(
        default=60, ge=1, le=3600, description="Seconds after which the database gives up one query of ours."
    )
    day_pause_seconds: float = Field(
        default=0.0, ge=0, le=600, description="Seconds to rest between two service days, to spare a busy database."
    )
    lab_map: Path | None = Field(
        default=None,
        description="CSV file with the columns local_code and nhso_code: the site's own word on what each lab item is, "
        "stronger than anything the database says.",
    )
