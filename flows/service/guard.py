"""What stands before Prefect's API and pages: a browser speaks to them from their own pages only.

A web page from elsewhere can make the browser of whoever looks at it send requests to this machine. Such a request names
another `Origin`, or, where a foreign name was pointed at this machine (DNS rebinding), another `Host`. Both are refused
before Prefect sees them; so is a body that is not declared as JSON, the one kind a browser sends anywhere unasked.
Who is let in here still needs the password.
"""

import re
from collections.abc import Collection, Iterable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Event

from core.messages import Message

_AUTHORITY = re.compile(r"(?P<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(:[0-9]{1,5})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_POLICY_VIOLATION = 1008  # RFC 6455: given before a socket is accepted, it is answered with 403

_HOST = Message(
    "ชื่อเครื่องในคำขอนี้ไม่ใช่ของระบบ ถ้าเข้าผ่าน proxy ให้เพิ่มชื่อใน service.host_names",
    "This service has no such name: if it stands behind a proxy, add the name to service.host_names.",
)
_ORIGIN = Message(
    "หน้าเว็บอื่นใช้ระบบนี้ไม่ได้ กรุณาเปิดหน้าของระบบเอง",
    "Pages from elsewhere may not use this service: open its own pages.",
)
_BODY = Message(
    "เนื้อหาของคำขอต้องเป็น Content-Type: application/json", "A request's body must be of Content-Type: application/json."
)

Refusal = tuple[int, Message]


class Guard:
    """An ASGI application before another: refuses what comes from elsewhere, and adds headers to answers.

    Args:
        app: Prefect's application.
        names: Host names and addresses it is called by, without a port; an IPv6 address in brackets.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or a socket, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = find_refusal(scope, headers, self.names)
        if refusal is None:
            await self.app(scope, receive, _adding_headers(send, headers["host"]))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            status, message = refusal
            answer = PlainTextResponse(f"{message.th}\n{message.en}\n", status, {"Cache-Control": "no-store"})
            await answer(scope, receive, send)


def find_refusal(scope: Scope, headers: Headers, names: Collection[str]) -> Refusal | None:
    """The HTTP status and the sentence to refuse with; None for what may pass."""
    hosts = headers.getlist("host")
    authority = _AUTHORITY.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    if authority is None or authority["name"] not in names:
        return 421, _HOST
    if not (_is_own_origin(headers, hosts[0].lower()) and _is_own_fetch(scope, headers)):
        return 403, _ORIGIN
    if scope["type"] == "http" and _has_body(headers) and not _is_json(headers):
        return 415, _BODY
    return None


def _is_own_origin(headers: Headers, host: str) -> bool:
    """Whether a request that names an origin comes from these very pages; programs name none."""
    for origin in headers.getlist("origin"):
        scheme, _, authority = origin.lower().partition("://")
        port = _DEFAULT_PORTS.get(scheme)
        if port is None or authority.removesuffix(port) != host.removesuffix(port):
            return False
    return True


def _is_own_fetch(scope: Scope, headers: Headers) -> bool:
    """Whether the browser says that its own pages, or the person, made the request (Sec-Fetch-Site).

    Another port of this machine is "same-site". A link from elsewhere may open a page, and nothing of the API.
    """
    if set(headers.getlist("sec-fetch-site")) <= {"same-origin", "none"}:
        return True
    opens_page = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    is_page = scope["type"] == "http" and scope["method"] == "GET" and not re.match(r"/+api(/|$)", scope["path"])
    return opens_page and is_page


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0").strip() != "0" or "transfer-encoding" in headers


def _is_json(headers: Headers) -> bool:
    kinds = [kind.partition(";")[0].strip().lower() for kind in headers.getlist("content-type")]
    return kinds == ["application/json"]


def _adding_headers(send: Send, host: str) -> Send:
    async def send_with_headers(event: Event) -> None:
        if event["type"] == "http.response.start":
            _set_headers(event, host)
        await send(event)

    return send_with_headers


def _set_headers(event: MutableMapping[str, Any], host: str) -> None:
    ours = {
        # Nothing of a page comes from elsewhere, also no picture that a record's text names.
        "content-security-policy": (
            "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            f"font-src 'self' data:; connect-src 'self' ws://{host} wss://{host}; worker-src 'self' blob:; "
            "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
        ),
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    names = {name.encode() for name in ours}
    kept = [(name, value) for name, value in event["headers"] if name.lower() not in names]
    event["headers"] = [*kept, *((name.encode(), value.encode("latin-1")) for name, value in ours.items())]
