"""What it means that a request got no answer: the one place that looks inside the HTTP library's errors."""

import ssl
from pathlib import Path

import requests
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.ssl_match_hostname import CertificateError

from core.errors import ConfigurationError
from core.messages import Message


def authorities(ca_bundle: Path | None) -> str | bool:
    """Whom to trust, as the HTTP library wants it told: the usual authorities, or those of a file.

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
    """The server's certificate did not verify. Other faults of TLS can come after the request has gone out."""
    cause = _cause(error)
    beneath = cause.args[0] if isinstance(cause, Exception) and cause.args else None
    return isinstance(beneath, ssl.SSLCertVerificationError | CertificateError)


def name_not_found(error: requests.RequestException) -> bool:
    """No host of that name is known."""
    return isinstance(_cause(error), NameResolutionError)


def never_left(error: requests.RequestException) -> bool:
    """The request failed before its first byte: no connection was made. All other failures may have come after."""
    return isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError) or isinstance(
        _cause(error), NewConnectionError
    )


def _cause(error: requests.RequestException) -> object:
    return getattr(error.args[0], "reason", None) if error.args else None
