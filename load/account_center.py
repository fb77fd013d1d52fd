"""The Account Center: one log-in per run gives the token that every call carries."""

import hashlib
import hmac
import json
import threading
import time
from collections import deque

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from core.errors import ConfigurationError, MophClaimError
from core.messages import Message
from core.text import one_line
from load.envelope import parsed_object
from load.errors import LoginError, StopRun
from load.settings import TOKEN_ADDRESSES_SEEN_IN_THE_FIELD, ApiSettings
from load.token import Token, check_usable, find_token, read_token
from load.transport import Reply, Transport

ACTION = "Action=get_moph_access_token"
# One token may expire before its first use; if so many do in a row, the clock or the address is wrong.
MOST_EXPIRED_IN_A_ROW = 3
# A token lives for hours. A server that calls it expired for some claims and takes it for others would have a log-in for each.
MOST_LOG_INS_AN_HOUR = 30


class _NotReached(Exception):
    """The Account Center did not answer, or failed: the log-in is tried again."""

    def __init__(self, host_not_found: bool) -> None:
        super().__init__()
        self.host_not_found = host_not_found


def transport_for(settings: ApiSettings) -> Transport:
    """The connection to the Account Center.

    Raises:
        ConfigurationError: The address or the file of certificate authorities cannot be used.
    """
    return Transport(settings, settings.addresses()[0], "api.token_url", connections=1)


def log_in(settings: ApiSettings, hcode: str, transport: Transport | None = None) -> Token:
    """Log in once, trying again after network errors and 5xx answers, but not for longer than one exchange may take.

    A refused password is never tried again: after several the account would be locked for 15 minutes.

    Args:
        settings: The account and the address.
        hcode: The facility the account must belong to.
        transport: The connection, which another thread may abort; without it, one of its own.

    Returns:
        The token; its claims allow sending.

    Raises:
        ConfigurationError: No user name or password is configured, or `transport_for` raised it.
        LoginError: The Account Center cannot be reached, refuses, or gives a token that cannot be used.
    """
    if not settings.username or not settings.password.get_secret_value():
        raise ConfigurationError(
            Message(
                "ยังไม่ได้ตั้งชื่อผู้ใช้หรือรหัสผ่านของ MOPH Claim กรุณาตั้ง MOPH_CLAIM_API__USERNAME และ MOPH_CLAIM_API__PASSWORD ในไฟล์ .env",
                "No user name or password for MOPH Claim is configured: set MOPH_CLAIM_API__USERNAME and "
                "MOPH_CLAIM_API__PASSWORD in the file .env.",
            )
        )
    if transport is None:
        with transport_for(settings) as own:
            return log_in(settings, hcode, own)
    attempts = Retrying(
        retry=retry_if_exception_type(_NotReached),
        stop=stop_after_attempt(settings.attempts) | stop_after_delay(settings.exchange_seconds),
        wait=wait_random_exponential(multiplier=settings.backoff_seconds, max=settings.backoff_limit_seconds),
        sleep=transport.sleep,
        reraise=True,
    )
    try:
        token = attempts(_ask_for_token, settings, hcode, transport)
    except _NotReached as reason:
        raise LoginError(_not_reached(settings, reason.host_not_found)) from None
    except StopRun as refused:
        raise LoginError(refused.message) from None
    check_usable(token, settings, hcode)
    return token


def _ask_for_token(settings: ApiSettings, hcode: str, transport: Transport) -> Token:
    url, _ = settings.addresses()
    reply = transport.exchange(
        "POST",
        # The manual gives the address with its Action, so a site may have copied it like that.
        url if "Action=" in url else url + ("&" if "?" in url else "?") + ACTION,
        {"User-Agent": settings.user_agent, "Content-Type": "application/json"},
        json.dumps(credentials(settings, hcode)).encode(),
    )
    if reply.failure or reply.status is None or reply.status >= 500:
        raise _NotReached(reply.host_not_found)
    if 300 <= reply.status < 400 or reply.status in (404, 405):
        raise LoginError(_nothing_at_address(url, reply.status))
    text = find_token(reply.text) if reply.status < 300 else None
    if text is None:
        raise LoginError(_refused(reply, settings, hcode))
    return read_token(text)


def credentials(settings: ApiSettings, hcode: str) -> dict[str, str]:
    """The log-in body: the form that programs in the field use if a secret key is configured, else the manual's.

    Source: reference §2; `password_hash` is the upper-case hex of HMAC-SHA256(key = secret key, message = password).
    """
    password = settings.password.get_secret_value()
    secret_key = settings.secret_key.get_secret_value() if settings.secret_key else ""
    if not secret_key:
        return {"username": settings.username, "password": password}
    digest = hmac.new(secret_key.encode(), password.encode(), hashlib.sha256).hexdigest().upper()
    return {"user": settings.username, "password_hash": digest, "hospital_code": hcode}


class TokenSource:
    """The run's token: one log-in, and one more each time it expires.

    Args:
        settings: The account and the address.
        hcode: The facility.
    """

    def __init__(self, settings: ApiSettings, hcode: str) -> None:
        self._settings = settings
        self._hcode = hcode
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._expired_in_a_row = 0
        self._log_in_times: deque[float] = deque(maxlen=MOST_LOG_INS_AN_HOUR)  # monotonic seconds
        self._refusal: MophClaimError | None = None
        self._transport: Transport | None = None
        self._aborted = False
        self.log_ins = 0

    def abort(self) -> None:
        """Break off a log-in under way, and let none begin; callable as `Transport.abort`."""
        self._aborted = True
        if self._transport:
            self._transport.abort()

    def token(self) -> Token:
        """The current token; the first call logs in.

        Raises:
            LoginError: The Account Center gave none; it is asked only once.
        """
        with self._lock:
            if self._token is None:
                self._token = self._log_in()
            return self._token

    def mark_working(self, token: Token) -> None:
        """Note that the server accepted this token."""
        if token is self._token:
            self._expired_in_a_row = 0

    def replace(self, expired: Token) -> Token:
        """Replace a token that the server calls expired, with one log-in however many threads ask at once.

        Raises:
            StopRun: Several tokens in a row expired before the server accepted one, or too many within an hour.
            LoginError: The Account Center gave no other.
        """
        with self._lock:
            if self._token is expired:
                if self._expired_in_a_row >= MOST_EXPIRED_IN_A_ROW or self._logs_in_too_often():
                    raise StopRun(
                        Message(
                            "MOPH Claim แจ้งว่าโทเคนหมดอายุทันทีหลังเข้าสู่ระบบ ซ้ำหลายครั้ง กรุณาตรวจสอบนาฬิกาและ api.environment แล้วสั่งใหม่",
                            "MOPH Claim calls the token run out right after the log-in, again and again: check the clock and "
                            "api.environment, then start again.",
                        )
                    )
                self._token = self._log_in()
            assert self._token is not None
            return self._token

    def _logs_in_too_often(self) -> bool:
        times = self._log_in_times
        return len(times) == MOST_LOG_INS_AN_HOUR and time.monotonic() - times[0] < 3600

    def _log_in(self) -> Token:
        # A refusal is kept: if every thread tried the password again, the account would be locked.
        if self._refusal is not None:
            raise type(self._refusal)(self._refusal.message)
        self.log_ins += 1
        self._log_in_times.append(time.monotonic())
        try:
            with transport_for(self._settings) as self._transport:
                if self._aborted:  # an abort at any instant either meets the transport or is seen here
                    self._transport.abort()
                token = log_in(self._settings, self._hcode, self._transport)
        except MophClaimError as refusal:
            self._refusal = refusal
            raise
        self._expired_in_a_row += 1
        return token


def _not_reached(settings: ApiSettings, host_not_found: bool) -> Message:
    url, _ = settings.addresses()
    if host_not_found:
        others = " / ".join(u for u in TOKEN_ADDRESSES_SEEN_IN_THE_FIELD if u != url)
        return Message(
            f"ไม่พบเครื่องแม่ข่าย {url} กรุณาตรวจสอบเครือข่าย หรือตั้ง api.token_url เป็น {others} ซึ่งโรงพยาบาลอื่นใช้อยู่",
            f"The host of {url} cannot be found: check the network, or set api.token_url to {others}, which others use.",
        )
    return Message(
        f"ระบบเข้าสู่ระบบ {url} ไม่ตอบหรือขัดข้อง จึงไม่ส่งรายการต่อ กรุณาตรวจสอบเครือข่ายแล้วสั่งใหม่",
        f"The log-in at {url} does not answer or fails, so nothing more is sent: check the network and start again.",
    )


def _nothing_at_address(url: str, status: int) -> Message:
    return Message(
        f"ไม่พบระบบเข้าสู่ระบบที่ {url} ({status}) กรุณาแก้ api.token_url หรือ api.environment",
        f"There is no log-in at {url} ({status}): correct api.token_url or api.environment.",
    )


def _refused(answer: Reply, settings: ApiSettings, hcode: str) -> Message:
    body = parsed_object(answer.text) or {}
    reply = one_line(next((body[k] for k in ("message_th", "message", "Message") if body.get(k)), ""))
    # A server may quote the request: keep secrets out of our messages.
    secrets = {settings.password.get_secret_value(), credentials(settings, hcode).get("password_hash", "")}
    secrets |= {settings.secret_key.get_secret_value() if settings.secret_key else ""}
    for secret in secrets - {""}:
        reply = reply.replace(secret, "***")
    reply = f" ({answer.status} {reply[:120]})".replace(" )", ")")
    return Message(
        f"เข้าสู่ระบบ MOPH Claim ไม่สำเร็จ{reply} กรุณาตรวจสอบชื่อผู้ใช้ รหัสผ่าน และ secret key ก่อนสั่งใหม่ (ผิดหลายครั้งบัญชีจะถูกล็อก 15 นาที)",
        f"The log-in to MOPH Claim was refused{reply}: check user name, password and secret key before starting again "
        "(the account is locked for 15 minutes after repeated failures).",
    )
