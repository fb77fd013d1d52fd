"""The settings of the stand-in of the Account Center and MOPH Claim, its faults included.

Where public sources do not say how the real servers behave, a setting lets a test try each possibility.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CODES_FOLDER = Path(__file__).parent / "codes"
"""Code lists of the made-up fund, which pays in any year; for a made-up hospital's `transform.codes_folder`."""

Endpoint = Literal["token", "submit", "eligibility", "status"]

AccountFault = Literal[
    "",
    "not_activated",
    "suspended",
    "scope_missing",
    "other_hospital",
    "expired",
    "claims_missing",
]

FaultKind = Literal[
    # Instead of the reply; the request has no effect.
    "429",
    "500",
    "502_html",
    "503",
    "504",
    "reset_before",
    "hang_up_before",
    "timeout_before",
    "not_found",
    "jwt_expire",
    "invalid_scope",
    "invalid_session",
    "permission_denied",
    # The world changes, then the request is handled as usual.
    "expire_tokens",
    "account_suspended",
    # The request has its effect, but the reply is lost.
    "500_after",
    "502_after",
    "reset_after",
    "hang_up_after",
    "timeout_after",
    "truncated_after",
    "cut_off_after",
    # An answer that does harm.
    "nested_after",  # JSON nested 30,000 deep
    "bomb_after",  # 320 MB, compressed to a third of one
    "drip_after",  # a body that comes a byte a second
    "drip_head_after",  # a head that does
    "flood_after",  # a body without an end
    "flood_100_after",  # "100 Continue" without an end
    "silent_before",  # the head of an answer, and nothing more
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fault(_Frozen):
    """A fault, and which requests meet it.

    Of the requests to the endpoints in `on`, the first `skip` never meet it; each later one does with `probability`,
    until `times` have.
    """

    kind: FaultKind = Field(description="What happens to the request.")
    on: tuple[Endpoint, ...] = Field(default=("submit",), description="Which requests may meet it.")
    probability: float = Field(default=1.0, ge=0, le=1, description="Share of the requests that meet it.")
    skip: int = Field(default=0, ge=0, description="Requests that are spared first.")
    times: int | None = Field(
        default=None, ge=0, description="Requests that meet it before it is over; none: for ever."
    )
    retry_after: str | None = Field(default=None, description="Retry-After header of a 429 or 503.")
    hold_seconds: float = Field(
        default=120.0, ge=0, description="How long a time-out, a drip or a flood holds the connection."
    )
    share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of the people, by a hash of pid, whose requests may meet it: always theirs.",
    )
    people: tuple[str, ...] = Field(
        default=(), description="Only requests about these people (pid) may meet it; none: all."
    )


class Account(_Frozen):
    """A user of the Account Center, who belongs to one hospital."""

    username: str = Field(default="sandbox", description="User name of both log-in forms.")
    password: str = Field(default="sandbox-password", description="Password, also the message of the field's HMAC.")
    secret_key: str = Field(default="sandbox$key", description="Key of the field's HMAC; empty: that form is refused.")
    hospital_code: str = Field(default="10953", description="Five-digit code of the hospital.")
    fault: AccountFault = Field(default="", description="What is wrong with the account, if anything.")
    token_seconds: int = Field(default=5 * 3600, description="Seconds a token lives.")


class World(_Frozen):
    """All settings of the stand-in; by default nothing fails."""

    accounts: tuple[Account, ...] = Field(default=(Account(),), description="Who may log in.")
    seed: int = Field(default=1, description="Seed of the faults' and the jitter's random numbers.")

    latency_ms: float = Field(default=0, ge=0, description="Milliseconds before a request is looked at.")
    jitter_ms: float = Field(default=0, ge=0, description="Up to so many milliseconds more, at random.")
    faults: tuple[Fault, ...] = Field(default=(), description="Misbehaviour; the first that meets a request counts.")
    tokens_expire_after_claims: int = Field(
        default=0, ge=0, description="All tokens run out each time so many claims have been taken; 0: never."
    )

    login_answer: Literal["bare", "quoted", "access_token", "token", "jwt"] = Field(
        default="bare", description="Form of the answer to a good log-in."
    )
    login_refusal: Literal["message_th", "message", "Message", "text", "html"] = Field(
        default="message_th", description="Form of the answer to a refused log-in."
    )
    login_refusal_status: int = Field(default=401, description="HTTP status of a refused log-in.")
    lockout_failures: int = Field(default=5, ge=1, description="Wrong passwords in a row before the lock-out.")
    lockout_minutes: float = Field(default=15, ge=0, description="Minutes the lock-out lasts.")
    refuse_library_user_agents: bool = Field(
        default=True, description="The front end refuses the default User-Agent of HTTP libraries."
    )

    status_form: Literal["number", "string", "missing", "code"] = Field(
        default="number", description="How an answer's envelope carries its status."
    )
    refusal_http_status: int = Field(default=400, description="HTTP status under which a claim is refused: 400 or 200.")
    name_invalid_fields: bool = Field(default=True, description="An invalid body is answered with the fields at fault.")
    second_submission: Literal["refused", "same_uid", "taken_again"] = Field(
        default="refused", description="What meets a claim that was taken before."
    )
    eligibility_uid: Literal["when_taken", "never", "always"] = Field(
        default="when_taken", description="When an eligibility answer carries a transaction_uid."
    )
    eligibility_of_taken: Literal["refused", "success"] = Field(
        default="refused", description="How the eligibility check answers about what was taken already."
    )
    no_closing_code_share: float = Field(
        default=0, ge=0, le=1, description="Share of visits, by a hash of seq, whose right is not confirmed yet."
    )
    no_closing_code_visits: tuple[str, ...] = Field(default=(), description="Visits (seq) not confirmed yet.")
    transaction_status: str = Field(default="approved", description="data.status of the status call.")
    transaction_status_th: str = Field(default="อนุมัติ", description="data.status_th of the status call.")

    journal: str = Field(default="", description="File of accepted claims that outlives the process; empty: none.")
    signing_key: str = Field(default="not a secret: the sandbox signs for itself", description="HS256 key of the JWTs.")
