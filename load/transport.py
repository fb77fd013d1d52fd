"""One HTTP exchange, bounded in time and size: the only place that looks inside the HTTP library and its errors.

Log-in and sending alike: certificate authorities are those of `api.ca_bundle`, or the usual ones; proxies are those of the
environment, but an address on this machine is called directly; redirects are not followed, cookies not kept, and no
`.netrc` is read.
"""

import codecs
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import NameResolutionError
from urllib3.util.ssl_match_hostname import CertificateError

from core.errors import ConfigurationError
from core.messages import Message
from load.connections import ANSWER_LIMIT, WatchedAdapter, too_large
from load.errors import StopRun, certificate_refused, malformed_address
from load.settings import ApiSettings, is_on_this_machine
from load.watchdog import Guard, Watchdog

_PIECE = 64 * 1024
_MALFORMED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidProxyURL,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Args:
        status: The HTTP status; None where no head came.
        headers: The head.
        content: The body after decompression, or as much of it as came; never shown by `repr`.
        failure: Why the answer is not complete, as the name of an error; None if it is.
        sent: The request may have arrived.
        host_not_found: The host's name could not be resolved.
    """

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    failure: str | None = None
    sent: bool = True
    host_not_found: bool = False

    @property
    def text(self) -> str:
        """The body as text: UTF-8, whatever the header of a gateway claims; UTF-16 where its byte-order mark says so."""
        utf_16 = self.content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = self.content.decode("utf-16" if utf_16 else "utf-8", errors="replace")
        return text.lstrip("\ufeff").replace("\x00", "")

    @property
    def too_large(self) -> bool:
        """Whether the answer was over the limit."""
        return self.failure == TOO_LARGE


TOO_LARGE = "AnswerTooLarge"


class Transport:
    """Kept-alive connections to one address. Use it as a context manager, or close it.

    Args:
        settings: Certificate authorities and time-outs.
        url: The address.
        setting: The setting that holds it, for messages.
        connections: How many threads make exchanges at once.

    Raises:
        ConfigurationError: The file of certificate authorities cannot be read, or data would go unencrypted.
    """

    def __init__(self, settings: ApiSettings, url: str, setting: str, connections: int) -> None:
        settings.refuse_clear_text()
        self._url, self._setting = url, setting
        self._authorities = tls_verification(settings.ca_bundle)
        self._timeout = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self._proxies = _proxies(url)  # looked up once, not at every request
        # No retries by the library: each attempt is an exchange of its own.
        self.adapter = WatchedAdapter(pool_connections=1, pool_maxsize=connections)
        self._watchdog = Watchdog(settings.exchange_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def abort(self) -> None:
        """Close the sockets of all exchanges under way, which fail at once, and let none begin.

        Callable from any thread and from a signal handler; it waits for nothing.
        """
        self._watchdog.abort()

    def close(self) -> None:
        """Close the connections."""
        self._watchdog.close()
        self.adapter.close()

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until `abort` is called."""
        self._watchdog.sleep(seconds)

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send a request and read the answer, within the time-outs' sum in all.

        Args:
            method: GET or POST.
            url: The address and what follows it.
            headers: The head; never shown.
            body: The body; None for none.

        Raises:
            StopRun: The address is malformed, the certificate does not verify, or `abort` was called: nothing was sent.
        """
        with self._watchdog.guarding() as guard:
            head: requests.Response | None = None
            content = bytearray()
            try:
                head = self._send(method, _checked(url), headers, body)
                self._read(head, content)
            except _MALFORMED:
                raise StopRun(malformed_address(self._url, self._setting)) from None
            except Exception as error:  # whatever bytes of a server do to the library: there is no complete answer
                if _certificate_failed(error):
                    raise StopRun(certificate_refused(self._url)) from None
                return _failed(error, head, content, guard)
            finally:
                if head is not None:
                    head.close()
            # Where the end of the connection is the end of the answer, an answer cut off would look complete.
            if guard.cut_off:
                return _failed(None, head, content, guard)
            return Reply(head.status_code, head.headers, bytes(content))

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> requests.Response:
        # Made by hand: the library would parse and quote the address anew for every claim.
        request = requests.PreparedRequest()
        request.method, request.url, request.body = method, url, body
        request.headers = CaseInsensitiveDict(headers)
        if body is not None:
            request.headers["Content-Length"] = str(len(body))
        return self.adapter.send(
            request, stream=True, timeout=self._timeout, verify=self._authorities, proxies=self._proxies
        )

    def _read(self, head: requests.Response, content: bytearray) -> None:
        while piece := head.raw.read(_PIECE, decode_content=True):
            content += piece
            if len(content) > ANSWER_LIMIT:
                raise too_large()


@lru_cache(maxsize=32)
def _checked(url: str) -> str:
    """An address as it is sent."""
    checked = requests.Request("GET", url).prepare().url or ""
    if not checked.lower().startswith(("http://", "https://")):
        raise requests.exceptions.InvalidSchema
    return checked


def _proxies(url: str) -> dict[str, str]:
    try:
        return {} if is_on_this_machine(url) else requests.utils.get_environ_proxies(url)
    except ValueError:  # a malformed address: the exchange says so
        return {}


def _failed(error: Exception | None, head: requests.Response | None, content: bytearray, guard: Guard) -> Reply:
    return Reply(
        status=None if head is None else head.status_code,
        headers={} if head is None else head.headers,
        content=bytes(content[:ANSWER_LIMIT]),
        failure=TOO_LARGE if guard.too_large else guard.cut_off or type(error).__name__,
        sent=guard.sent,
        host_not_found=isinstance(_cause(error), NameResolutionError),
    )


def tls_verification(ca_bundle: Path | None) -> str | bool:
    """The certificate authorities to trust, as the `verify` argument of requests: the usual ones, or those of a file.

    Raises:
        ConfigurationError: The file cannot be read, or holds no certificates.
    """
    if ca_bundle is None:
        return True
    try:
        ssl.create_default_context(cafile=ca_bundle)
    except OSError:
        raise ConfigurationError(
            Message(
                f"อ่านไฟล์ใบรับรอง {ca_bundle} ไม่ได้ กรุณาแก้ api.ca_bundle",
                f"The file of certificates {ca_bundle} cannot be read as such: correct api.ca_bundle.",
            )
        ) from None
    return str(ca_bundle)


def _certificate_failed(error: Exception) -> bool:
    """Whether the server's certificate did not verify. Other TLS errors can come after the request has been sent."""
    cause = _cause(error)
    inner = cause.args[0] if isinstance(cause, Exception) and cause.args else None
    return isinstance(inner, ssl.SSLCertVerificationError | CertificateError)


def _cause(error: Exception | None) -> object:
    return getattr(error.args[0], "reason", None) if error is not None and error.args else None
