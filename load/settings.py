"""The settings of MOPH Claim, the audit database, `reconcile`, and how long personal data is kept."""

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from core.errors import ConfigurationError
from load.errors import clear_text

Environment = Literal["sandbox", "uat", "prd"]

# Reference: the token addresses and hosts the ministry's manual and programs in the field use. The sandbox's are those
# `moph-claim sandbox` listens on by default.
ADDRESSES: dict[Environment, tuple[str, str]] = {
    "sandbox": ("http://127.0.0.1:8899/token", "http://127.0.0.1:8899"),
    "uat": ("https://fdh.moph.go.th/token", "https://uat-moph-nhso.inet.co.th"),
    "prd": ("https://fdch.moph.go.th/token", "https://claim-nhso.moph.go.th"),
}
# Where programs in the field log in when the manual's production host cannot be resolved.
TOKEN_ADDRESSES_SEEN_IN_THE_FIELD = ("https://cvp1.moph.go.th/token", "https://fdh.moph.go.th/token")


def is_on_this_machine(url: str) -> bool:
    """Whether an address is this computer's own, as the HTTP library reads it; a name other than localhost is not."""
    try:
        host = parse_url(url.strip()).host or ""
    except LocationParseError:
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


class ApiSettings(BaseModel):
    """The account at MOPH Claim, its addresses, and how to send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: Environment = Field(
        "sandbox", description="Where claims go: sandbox, uat (the ministry's test) or prd."
    )
    token_url: str | None = Field(None, description="Address of the log-in, when it is not the environment's own.")
    api_url: str | None = Field(None, description="Base address of MOPH Claim, when it is not the environment's own.")
    username: str = Field("", description="User name at the MOPH Finance Account Center.")
    password: SecretStr = Field(SecretStr(""), description="Password of that user; keep it in .env in single quotes.")
    secret_key: SecretStr | None = Field(
        None,
        description="The hospital's secret key; when set, the password is sent hashed with it. Single-quote it in .env.",
    )
    required_scope: str = Field("MOPH_CLAIM_API", description="The right the account must hold, as the token names it.")
    ca_bundle: Path | None = Field(
        None, description="File of certificate authorities, where the hospital's proxy has its own."
    )
    user_agent: str = Field("moph-claim-etl/0.1", description="How the program names itself to the server.")
    connect_timeout_seconds: float = Field(10, gt=0, le=120, description="How long to wait for a connection.")
    read_timeout_seconds: float = Field(
        90,
        gt=0,
        le=600,
        description="How long to wait for an answer; together with the time for a connection also the longest that one "
        "exchange may take, from looking up the name to the answer's last byte.",
    )
    attempts: int = Field(
        4,
        ge=1,
        le=10,
        description="Times one claim is sent in one run while the server is busy or failing; each pause of all sending "
        "begins them anew.",
    )
    backoff_seconds: float = Field(
        0.5, ge=0, le=60, description="First pause before sending again; it doubles each time."
    )
    backoff_limit_seconds: float = Field(
        30, ge=0, le=600, description="Longest pause; a longer Retry-After leaves the claim for the next run."
    )
    breaker_failures: int = Field(
        20,
        ge=1,
        le=1000,
        description="Failures in a row over all connections, without one answer between, after which sending pauses.",
    )
    breaker_pause_seconds: float = Field(
        60, ge=0, le=3600, description="How long nothing is sent then; after it one claim goes as a probe."
    )
    breaker_probes: int = Field(
        3, ge=1, le=1000, description="Probes that may fail in a row, each after such a pause, before the run ends."
    )
    failed_nights: int = Field(
        3,
        ge=1,
        le=365,
        description="Nights in a row on which MOPH Claim failed at a claim while it answered others; then the claim is listed "
        "for a person. It goes on being sent, after all others.",
    )
    ask_eligibility: bool = Field(
        True,
        description="Ask the eligibility check before a claim in doubt is sent once more (seen in one program only).",
    )

    def addresses(self) -> tuple[str, str]:
        """The log-in address and the API's base address."""
        token, api = ADDRESSES[self.environment]
        return self.token_url or token, (self.api_url or api).rstrip("/")

    @property
    def exchange_seconds(self) -> float:
        """The longest that one exchange may take, from looking up the name to the answer's last byte."""
        return self.connect_timeout_seconds + self.read_timeout_seconds

    def refuse_clear_text(self) -> None:
        """Refuse an address of `uat` or `prd` to which data would go unencrypted beyond this machine.

        Raises:
            ConfigurationError: As told.
        """
        if self.environment == "sandbox":
            return
        for url, setting in zip(self.addresses(), ("api.token_url", "api.api_url"), strict=True):
            if url.strip().casefold().startswith("http:") and not is_on_this_machine(url):
                raise ConfigurationError(clear_text(url, setting))


class AuditSettings(BaseModel):
    """The audit database, and the lease of a facility."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = Field(
        SecretStr(""),
        description="SQLAlchemy URL of the audit database; empty: the file audit.sqlite in the data folder.",
    )
    lease_seconds: int = Field(
        300, ge=2, le=86400, description="How long a run that has gone silent keeps its facility and its claims."
    )
    lock_wait_seconds: int = Field(
        3600, ge=0, le=86400, description="How long a run waits for another run of the same facility to end."
    )
    outage_seconds: int = Field(
        120,
        ge=0,
        le=3600,
        description="How long a run waits for an audit database that has gone away; answers are kept meanwhile.",
    )
    free_megabytes: int = Field(
        100,
        ge=0,
        le=1_000_000,
        description="Room that must be free on the disks of the audit file and the data folder, besides what the claims "
        "themselves take, before a run sends.",
    )


class ReconcileSettings(BaseModel):
    """What `reconcile` does, and for how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    held_days: int = Field(
        30,
        ge=1,
        le=365,
        description="Days after the service in which a claim without a closing code is tried again; then it is given up.",
    )
    ask_status: bool = Field(
        True, description="Ask what became of the transactions accepted (the call is known from one program only)."
    )
    status_days: int = Field(
        14, ge=1, le=365, description="Days after its acceptance for which a transaction's status is asked."
    )
    settled_statuses: list[str] = Field(
        default_factory=list,
        description="Words of MOPH Claim's data.status after which a transaction is not asked about again; which there "
        "are is not public: `moph-claim status` shows those that came.",
    )


class PrivacySettings(BaseModel):
    """How long personal data is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_years: int = Field(
        10, ge=1, le=100, description="Years after the service for which `moph-claim audit erase` leaves personal data."
    )
    keep_files_days: int = Field(
        90,
        ge=0,
        le=3650,
        description="Days for which result and issue workbooks are kept; each run removes older ones. 0 keeps them for ever.",
    )
