"""Replies: the envelope of MOPH Claim, and the front end's page for an unknown address."""

import json
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

StatusForm = Literal["number", "string", "missing", "code"]


class Envelope(Response):
    """A reply of MOPH Claim; the statistics count it by its message."""

    media_type = "application/json"
    message = ""


def envelope(
    status: int,
    message: str,
    message_th: str,
    data: dict[str, Any] | None = None,
    *,
    http_status: int,
    form: StatusForm = "number",
    errors: list[str] | None = None,
) -> Envelope:
    """The reply of moph-claim-api.md §5, its status in one of the forms that were observed."""
    content: dict[str, Any] = {"message": message, "message_th": message_th}
    if form != "missing":
        content["code" if form == "code" else "status"] = str(status) if form == "string" else status
    if data is not None:
        content["data"] = data
    if errors:
        content["errors"] = errors
    reply = Envelope(json.dumps(content, ensure_ascii=False).encode(), http_status)
    reply.message = message
    return reply


def not_found(request: Request) -> Response:
    """The page for an address that does not exist."""
    line = f"Cannot {request.method} {request.url.path}"
    return HTMLResponse(
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n<body>\n'
        f"<pre>{_escaped(line)}</pre>\n</body>\n</html>\n",
        404,
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
