"""TLS settings, and the cause of a request's failure: the only place that looks inside the HTTP library's errors."""

import ssl
from pathlib import Path

import requests
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.ssl_match_hostname import CertificateError

from core.errors import ConfigurationError
from core.messages import Message


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


def certificate_failed(error: requests.RequestException) -> bool:
    """Whether the server's certificate did not verify. Other TLS errors can come after the request has been sent."""
    cause = _cause(error)
    inner = cause.args[0] if isinstance(cause, Exception) and cause.args else None
    return isinstance(inner, ssl.SSLCertVerificationError | CertificateError)


def host_not_found(error: requests.RequestException) -> bool:
    """Whether the host's name could not be resolved."""
    return isinstance(_cause(error), NameResolutionError)


def was_not_sent(error: requests.RequestException) -> bool:
    """Whether the request failed before its first byte was sent; after any other failure it may have arrived."""
    return isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError) or isinstance(
        _cause(error), NewConnectionError
    )


def _cause(error: requests.RequestException) -> object:
    return getattr(error.args[0], "reason", None) if error.args else None
