"""The stand-in of the Account Center and MOPH Claim as an ASGI application under uvicorn.

`create_app` is the application, `serve` runs it until interrupted; `sandbox.process` runs it in a process of its own.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.control import control_routes
from sandbox.faults import reply_afterwards, reply_instead
from sandbox.replies import not_found
from sandbox.site import Site
from sandbox.world import Endpoint, Fault, World

Handler = Callable[[Request, bytes], Response]

ADMISSIONS = "/api/v1/opd/service-admissions"
TOKEN_ACTION = "get_moph_access_token"  # noqa: S105 (the name of a call)


def create_app(world: World | None = None) -> Starlette:
    """The application; its own state starts in this world."""
    site = Site(world or World())

    def route(path: str, method: str, endpoint: Endpoint, name: str, handler: Handler) -> Route:
        async def answered(request: Request) -> Response:
            return await answer(site, endpoint, name, handler, request)

        return Route(path, answered, methods=[method])

    app = Starlette(
        routes=[
            *(
                route(f"{ADMISSIONS}/{service}", "POST", "submit", f"submit/{service}", partial(site.submit, service))
                for service in ("dmht", "epi", "dt")
            ),
            route("/token", "POST", "token", "token", partial(_token, site)),
            *(
                route(
                    f"/api/v1/opd/{kind}", "POST", "eligibility", f"eligibility/{kind}", partial(site.eligibility, kind)
                )
                for kind in ("dm", "ht", "epi", "dt")
            ),
            route("/api/v1/opd/service-transactions/{transaction_uid}/status", "GET", "status", "status", site.status),
            *control_routes(site),
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )
    app.router.redirect_slashes = False
    return app


async def answer(site: Site, endpoint: Endpoint, name: str, handler: Handler, request: Request) -> Response:
    """Answer one request: wait for the latency, apply a fault if one is due, handle the request, and count the reply."""
    statistics = site.statistics
    statistics.in_flight += 1
    if request.client is not None:
        statistics.clients.add((request.client.host, request.client.port))
    statistics.most_in_flight = max(statistics.most_in_flight, statistics.in_flight)
    try:
        try:
            body = await request.body()
        except ClientDisconnect:  # a run that is told to stop may leave in the midst of a request
            return Response()
        if site.front_end_refuses(request):
            return HTMLResponse("<html><body><h1>403 Forbidden</h1>User-Agent refused</body></html>", 403)
        delay = site.delay_seconds()
        if delay:
            await asyncio.sleep(delay)
        fault = site.faults.draw(endpoint, body)
        if fault is None:
            reply = handler(request, body)
            statistics.count(name, reply)
            return reply
        statistics.faults[fault.kind] += 1
        return await _answer_with_fault(site, fault, name, handler, request, body)
    finally:
        statistics.in_flight -= 1


async def _answer_with_fault(
    site: Site, fault: Fault, name: str, handler: Handler, request: Request, body: bytes
) -> Response:
    lost = await reply_instead(fault, request)
    if lost is not None:
        return lost
    if fault.kind == "expire_tokens":
        site.logins.expire_all()
    if fault.kind == "account_suspended":
        site.suspend_accounts()
    reply = handler(request, body)
    site.statistics.count(name, reply)
    return await reply_afterwards(fault, request, reply)


def _token(site: Site, request: Request, body: bytes) -> Response:
    return site.token(request, body) if request.query_params.get("Action") == TOKEN_ACTION else not_found(request)


async def _not_found(request: Request, _error: Exception) -> Response:
    return not_found(request)


class Connection(H11Protocol):
    """uvicorn's HTTP connection, with a transport that faults can break and that sends a reply in one system call."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        """Make the transport available to the requests, as part of their state."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}
        self.transport = BufferedTransport(transport, self.loop)  # type: ignore[assignment]  # it has every method that uvicorn calls


class BufferedTransport:
    """A transport that sends everything written within one step of the event loop by one system call.

    uvicorn writes the head and the body of a reply separately; for small replies a second call is a fifth of the cost.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send at the end of this step of the event loop."""
        if data:
            if not self._written:
                self._loop.call_soon(self._flush)
            self._written.append(data)

    def close(self) -> None:
        """Send what is still buffered, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._written:
            self._transport.write(b"".join(self._written))
            self._written.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; connections wait in its queue until the server runs. Port 0 is a free port.

    Raises:
        OSError: The address is in use or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's delay, 40 ms a reply, only for sockets created with IPPROTO_TCP.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.listen(2048)
    return sock


def serve(host: str = "127.0.0.1", port: int = 8899, world: World | None = None) -> None:
    """Run the stand-in until it is interrupted.

    Raises:
        OSError: The address is in use or is not this machine's.
    """
    with suppress(KeyboardInterrupt):
        run(listen(host, port), create_app(world))


def run(sock: socket.socket, app: Starlette) -> None:
    """Run the application on a listening socket until it is interrupted."""
    settings: dict[str, Any] = {
        "http": Connection,
        "ws": "none",
        "lifespan": "off",
        "log_level": "warning",
        "access_log": False,
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": 1,
        "server_header": False,
        "date_header": True,
    }
    uvicorn.Server(uvicorn.Config(app, **settings)).run(sockets=[sock])
