"""The Account Center: both log-in forms, JWTs signed with HS256, lock-out, and the account of a bearer token."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from sandbox.world import Account, World

LOCKED = "บัญชีถูกระงับชั่วคราว กรุณาลองใหม่ภายหลัง"
WRONG = "ชื่อผู้ใช้หรือรหัสผ่านไม่ถูกต้อง"
OTHER_HOSPITAL = "99999"


class LoginRefused(Exception):
    """The Account Center refuses a log-in; the text is its answer."""


@dataclass(frozen=True, slots=True)
class Session:
    """The user of a token, and when it expires (seconds since 1970)."""

    username: str
    expires: float


@dataclass(slots=True)
class Logins:
    """The tokens issued, and the log-ins refused."""

    sessions: dict[str, Session] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    failures: dict[str, int] = field(default_factory=dict)
    locked_until: dict[str, float] = field(default_factory=dict)
    given: int = 0
    refused: int = 0

    def expire_all(self) -> None:
        """Expire every token issued so far."""
        self.expired.update(self.sessions)


def password_hash(secret_key: str, password: str) -> str:
    """The password in the form that hospitals' programs send: upper-case hex of HMAC-SHA256(key = secret key, message = password)."""
    return hmac.new(secret_key.encode(), password.encode(), hashlib.sha256).hexdigest().upper()


def log_in(world: World, logins: Logins, body: bytes) -> str:
    """The JWT for a log-in, in the form of the manual or in the form that hospitals' programs use.

    Raises:
        LoginRefused: Wrong user or password, or locked out after too many of them.
    """
    form = _object(body)
    username = str(form.get("username", form.get("user", "")))
    if logins.locked_until.get(username, 0) > time.monotonic():
        logins.refused += 1
        raise LoginRefused(LOCKED)
    account = next((account for account in world.accounts if account.username == username), None)
    if account is None or not _password_matches(account, form):
        logins.refused += 1
        logins.failures[username] = logins.failures.get(username, 0) + 1
        if logins.failures[username] >= world.lockout_failures:
            logins.locked_until[username] = time.monotonic() + world.lockout_minutes * 60
            logins.failures[username] = 0
        raise LoginRefused(WRONG)
    logins.failures.pop(username, None)
    logins.given += 1
    token, session = _issue(world, account)
    logins.sessions[token] = session
    return token


def account_of(world: World, logins: Logins, authorization: str) -> Account | str:
    """The account of an Authorization header, or the message that refuses it."""
    if not authorization:
        return "authorized token not found"
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer" or token.count(".") != 2:
        return "invalid jwt authorization"
    session = logins.sessions.get(token) or _restored_session(world, logins, token)
    if session is None:
        return "invalid jwt authorization"
    if token in logins.expired or session.expires <= time.time():
        return "JWT Expire"
    for account in world.accounts:
        if account.username == session.username:
            return account
    return "invalid session"


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _password_matches(account: Account, form: dict[str, Any]) -> bool:
    if set(form) == {"username", "password"}:
        return hmac.compare_digest(str(form["password"]).encode(), account.password.encode())
    if set(form) == {"user", "password_hash", "hospital_code"} and account.secret_key:
        expected = password_hash(account.secret_key, account.password)
        hash_matches = hmac.compare_digest(str(form["password_hash"]).encode(), expected.encode())
        return hash_matches and form["hospital_code"] == account.hospital_code
    return False


def _issue(world: World, account: Account) -> tuple[str, Session]:
    issued = int(time.time())
    expires = issued - 60 if account.fault == "expired" else issued + account.token_seconds
    # jti makes two tokens of the same second differ. It contains the user, so that a restarted server knows the token.
    identity = {"jti": f"{account.username}/{uuid.uuid4()}"}
    claims: dict[str, Any] = {
        "iss": "MOPH Account Center",
        "aud": "MOPH API",
        "iat": issued,
        "exp": expires,
        "client": {
            "name": "ผู้ส่งเคลม ทดสอบ",
            "email": "claim-sender@example.org",
            "hospital_code": OTHER_HOSPITAL if account.fault == "other_hospital" else account.hospital_code,
            "account_activated": account.fault != "not_activated",
            "account_suspended": account.fault == "suspended",
            "scope": [{"code": "MOPH_REPORT:1" if account.fault == "scope_missing" else "MOPH_CLAIM_API:1"}],
        },
    }
    visible = identity if account.fault == "claims_missing" else claims | identity
    return signed(visible, world.signing_key), Session(account.username, expires)


def signed(claims: dict[str, Any], key: str) -> str:
    """A compact JWT of these claims, signed with HS256."""
    head = f"{_base64(_json({'alg': 'HS256', 'typ': 'JWT'}))}.{_base64(_json(claims))}"
    return f"{head}.{_base64(hmac.new(key.encode(), head.encode(), hashlib.sha256).digest())}"


def _restored_session(world: World, logins: Logins, token: str) -> Session | None:
    """The session of a token that an earlier process of this server issued."""
    head, _, signature = token.rpartition(".")
    expected = _base64(hmac.new(world.signing_key.encode(), head.encode(), hashlib.sha256).digest())
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        return None
    part = head.partition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    session = Session(str(claims.get("jti", "")).rpartition("/")[0], float(claims.get("exp", time.time() + 3600)))
    logins.sessions[token] = session
    return session


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
