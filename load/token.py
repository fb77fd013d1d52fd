"""The access token: its claims, and whether any claim can be sent with it.

The signature is not verified (the key is not public). The token is never logged: it holds a name and an e-mail address.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from core.clock import BANGKOK, now
from core.messages import Message
from core.text import one_line
from load.errors import LoginError
from load.settings import ApiSettings

_JWT = re.compile(r"[\w+/=-]+\.[\w+/=-]+\.[\w+/=-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its claims, unverified.

    Args:
        text: The JWT; never printed.
        expires_at: When it expires; None if the token does not say.
        hospital_code: The account's facility; None if the token does not say.
        scopes: The account's rights; None if the token does not say.
    """

    text: SecretStr
    expires_at: datetime | None = None
    hospital_code: str | None = None
    scopes: tuple[str, ...] | None = None


def find_token(answer: str) -> str | None:
    """The JWT in an answer of the log-in, be it plain text, a JSON string or a JSON object; None if there is none."""
    text: Any = answer.strip()
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = text
    if isinstance(parsed, dict):
        parsed = next((parsed[key] for key in ("access_token", "token", "jwt") if key in parsed), "")
    text = parsed.strip() if isinstance(parsed, str) else ""
    return text if _JWT.fullmatch(text) else None


def read_token(text: str) -> Token:
    """Read the claims of a JWT; a claim that cannot be read counts as missing.

    Args:
        text: The JWT, three parts separated by dots.

    Raises:
        LoginError: The account is not activated, or suspended.
    """
    part = text.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        claims = {}
    claims = claims if isinstance(claims, dict) else {}
    client = claims.get("client")
    client = client if isinstance(client, dict) else {}
    _refuse_inactive_account(client)
    scopes = client.get("scope")
    return Token(
        text=SecretStr(text),
        expires_at=_timestamp(claims.get("exp")),
        hospital_code=one_line(_scalar(client.get("hospital_code")))[:20] or None,
        scopes=tuple(_scalar(s.get("code") if isinstance(s, dict) else s) for s in scopes)
        if isinstance(scopes, list)
        else None,
    )


def _scalar(value: object) -> str:
    """Text or a number as text; empty for anything else, which may be of any depth."""
    return str(value) if isinstance(value, str) or (isinstance(value, int) and abs(value) < 10**20) else ""


def _timestamp(value: object) -> datetime | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value, BANGKOK)
    except (ValueError, OverflowError, OSError):
        return None


def _refuse_inactive_account(client: Mapping[str, Any]) -> None:
    if "account_activated" in client and not _is_true(client["account_activated"]):
        raise LoginError(
            Message(
                "บัญชี MOPH Claim ยังไม่เปิดใช้งาน กรุณาเปิดใช้งาน (activate) ที่ MOPH Finance Account Center แล้วสั่งใหม่",
                "The MOPH Claim account is not activated: activate it at the MOPH Finance Account Center and start again.",
            )
        )
    if _is_true(client.get("account_suspended", False)):
        raise LoginError(
            Message(
                "บัญชี MOPH Claim ถูกระงับ กรุณาติดต่อ MOPH Finance Account Center ให้ยกเลิกการระงับ แล้วสั่งใหม่",
                "The MOPH Claim account is suspended: ask the MOPH Finance Account Center to lift it and start again.",
            )
        )


def _is_true(value: object) -> bool:
    return _scalar(value).strip().casefold() in {"true", "1", "y", "yes"}


def check_usable(token: Token, settings: ApiSettings, hcode: str) -> None:
    """Refuse a token with which no claim can be sent; a claim that the token does not have is not checked.

    Args:
        token: The token.
        settings: The right that the account needs.
        hcode: The facility that the account must belong to.

    Raises:
        LoginError: The token has expired, or the account is another hospital's or has no right to send claims.
    """
    if token.expires_at is not None and token.expires_at <= now():
        raise LoginError(
            Message(
                "โทเคนที่ได้รับหมดอายุแล้ว กรุณาตรวจสอบนาฬิกาของเครื่องนี้ แล้วสั่งใหม่",
                "The token received has run out already: check this computer's clock and start again.",
            )
        )
    if token.hospital_code is not None and token.hospital_code != hcode:
        raise LoginError(
            Message(
                f"บัญชีนี้เป็นของหน่วยบริการ {token.hospital_code} ไม่ใช่ {hcode} กรุณาใช้บัญชีของหน่วยบริการ {hcode} หรือแก้ facility.hcode",
                f"This account belongs to facility {token.hospital_code}, not {hcode}: use an account of {hcode}, or "
                "correct facility.hcode.",
            )
        )
    if token.scopes is not None and not any(s.split(":")[0] == settings.required_scope for s in token.scopes):
        raise LoginError(
            Message(
                f"บัญชีนี้ไม่มีสิทธิ {settings.required_scope} กรุณาขอสิทธิ MOPH CLAIM API ที่ MOPH Finance Account Center แล้วสั่งใหม่",
                f"This account lacks the right {settings.required_scope}: ask the MOPH Finance Account Center for the "
                "right MOPH CLAIM API and start again.",
            )
        )
