"""Fault injection: which request meets which fault, and what its caller sees."""

import asyncio
import json
import random
import socket
import struct
import time
import zlib
from dataclasses import dataclass, field
from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sandbox.replies import envelope, not_found
from sandbox.world import Endpoint, Fault

BAD_GATEWAY = """<html>
<head><title>502 Bad Gateway</title></head>
<body>
<center><h1>502 Bad Gateway</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""

MESSAGES = {
    "429": (429, "too many requests"),
    "500": (500, "internal server error"),
    "500_after": (500, "internal server error"),
    "503": (503, "external server error"),
    "504": (504, "gateway timeout"),
    "jwt_expire": (401, "JWT Expire"),
    "invalid_scope": (401, "invalid scope"),
    "invalid_session": (401, "invalid session"),
    "permission_denied": (403, "permission denied"),
}

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
# Answers without an end: how they begin, what follows again and again, and seconds between.
ENDLESS = {
    "drip_after": (_OK + b"content-length: 1024\r\n\r\n", b" ", 1.0),
    "drip_head_after": (_OK + b"x-padding: ", b"x", 1.0),
    "flood_after": (_OK + b"\r\n", b" " * 65536, 0.001),
    "flood_100_after": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2500, 0.001),
}


@dataclass(slots=True)
class FaultState:
    """A fault, how many requests it could have met (`seen`) and how many it has met (`met`)."""

    fault: Fault
    seen: int = 0
    met: int = 0


@dataclass(slots=True)
class Faults:
    """The faults in force, and their random numbers."""

    states: list[FaultState] = field(default_factory=list)
    chance: random.Random = field(default_factory=random.Random)

    def replace(self, faults: tuple[Fault, ...], seed: int) -> None:
        """Put these faults in force instead of the former ones, their counts at zero."""
        self.states = [FaultState(fault) for fault in faults]
        self.chance = random.Random(seed)

    def draw(self, endpoint: Endpoint, body: bytes) -> Fault | None:
        """The fault that a request to the endpoint meets: the first that applies; None for none."""
        pid = _pid(body)
        for state in self.states:
            fault = state.fault
            if endpoint not in fault.on or not _concerns(fault, pid):
                continue
            state.seen += 1
            if state.seen <= fault.skip or (fault.times is not None and state.met >= fault.times):
                continue
            if fault.probability >= 1 or self.chance.random() < fault.probability:
                state.met += 1
                return fault
        return None


async def reply_instead(fault: Fault, request: Request) -> Response | None:
    """The reply of a fault that stops the request before it has an effect; None for other faults."""
    if fault.kind.endswith("_after") or fault.kind in ("expire_tokens", "account_suspended"):
        return None
    if fault.kind == "silent_before":
        _transport(request).write(b"HTTP/1.1 200 OK\r\n")
        await asyncio.sleep(fault.hold_seconds)
        return await break_connection(request, reset=False)
    if fault.kind == "timeout_before":
        await asyncio.sleep(fault.hold_seconds)
        return await break_connection(request, reset=False)
    if fault.kind in ("reset_before", "hang_up_before"):
        return await break_connection(request, reset=fault.kind == "reset_before")
    if fault.kind == "not_found":
        return not_found(request)
    return _error(fault)


async def reply_afterwards(fault: Fault, request: Request, reply: Response) -> Response:
    """What a fault lets the caller see of the reply, after the request has had its effect."""
    if fault.kind == "timeout_after":
        await asyncio.sleep(fault.hold_seconds)
    if fault.kind in ("500_after", "502_after"):
        return _error(fault)
    if fault.kind in ("reset_after", "hang_up_after"):
        return await break_connection(request, reset=fault.kind == "reset_after")
    if fault.kind == "nested_after":
        return Response("[" * 30_000 + "]" * 30_000, media_type="application/json")
    if fault.kind == "bomb_after":
        return Response(_bomb(), headers={"content-encoding": "gzip", "content-type": "application/json"})
    if fault.kind in ENDLESS:
        return await _write_for_ever(fault, request)
    if fault.kind == "truncated_after":
        return Response(_half(reply), reply.status_code, media_type="application/json")
    if fault.kind == "cut_off_after":
        head = f"HTTP/1.1 {reply.status_code} OK\r\ncontent-type: application/json\r\ncontent-length: {len(reply.body)}"
        _transport(request).write(head.encode() + b"\r\n\r\n" + _half(reply))
        return await break_connection(request, reset=False)
    return reply


async def break_connection(request: Request, *, reset: bool) -> Response:
    """Break the connection: by a TCP reset, or by an orderly close before the end of the reply."""
    transport = _transport(request)
    if reset:
        # With a linger time of 0 the kernel sends RST instead of FIN.
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    # Give uvicorn time to notice the closed connection; then it does not write the response below.
    await asyncio.sleep(0.01)
    return Response()


@cache
def _bomb() -> bytes:
    """320 MB of spaces, compressed."""
    packer, spaces = zlib.compressobj(wbits=31), b" " * (1 << 20)
    return b"".join([*(packer.compress(spaces) for _ in range(320)), packer.flush()])


async def _write_for_ever(fault: Fault, request: Request) -> Response:
    """A beginning, and then the same again and again, until the caller hangs up or the fault's time is over."""
    transport = _transport(request)
    start, again, pause = ENDLESS[fault.kind]
    transport.write(start)
    ends = time.monotonic() + fault.hold_seconds
    while time.monotonic() < ends and not transport.is_closing():
        if transport.get_write_buffer_size() < len(again):  # the caller may not read as fast
            transport.write(again)
        await asyncio.sleep(pause)
    return await break_connection(request, reset=False)


def _concerns(fault: Fault, pid: str) -> bool:
    of_share = fault.share >= 1 or (pid != "" and zlib.crc32(pid.encode()) / 2**32 < fault.share)
    return of_share and (not fault.people or pid in fault.people)


def _pid(body: bytes) -> str:
    try:
        parsed = json.loads(body)
    except ValueError:
        return ""
    return str(parsed.get("pid", "")) if isinstance(parsed, dict) else ""


def _error(fault: Fault) -> Response:
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    if fault.kind.startswith("502"):
        return HTMLResponse(BAD_GATEWAY, 502, headers)
    status, message = MESSAGES[fault.kind]
    reply = envelope(status, message, "ระบบขัดข้อง", http_status=status)
    reply.headers.update(headers)
    return reply


def _half(reply: Response) -> bytes:
    return bytes(reply.body)[: len(reply.body) // 2]


def _transport(request: Request) -> asyncio.Transport:
    transport: asyncio.Transport = request.state.transport
    return transport
