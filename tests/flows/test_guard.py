"""The layer before Prefect: which requests and sockets it refuses, without a server."""

import asyncio
from typing import Any

import pytest

from flows.service.address import Address
from flows.service.guard import Guard

HOST = "127.0.0.1:4200"
OWN = {"host": HOST}
API = "/api/flow_runs/filter"
JSON = {"content-type": "application/json", "content-length": "2"}


async def prefect(scope: Any, receive: Any, send: Any) -> None:
    """In Prefect's place: takes whatever reaches it."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    headers = [(b"content-type", b"application/json"), (b"X-Frame-Options", b"ALLOWALL")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def events(kind: str, method: str, path: str, headers: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """What comes out of the guard for a request or a socket."""
    sent: list[dict[str, Any]] = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": kind, "method": method, "path": path, "headers": raw, "extensions": {}}
    names = Address("127.0.0.1", 4200).names(["claims.hospital.example"])
    asyncio.run(Guard(prefect, names)(scope, receive, send))
    return sent


def status(method: str = "POST", path: str = API, /, **headers: str) -> int:
    """The status of the answer to a request."""
    named = [(name.replace("_", "-"), value) for name, value in {"host": HOST, **headers}.items()]
    return int(events("http", method, path, named)[0]["status"])


def socket_event(**headers: str) -> str:
    """How a socket is answered."""
    named = [(name.replace("_", "-"), value) for name, value in {"host": HOST, **headers}.items()]
    return str(events("websocket", "GET", "/api/events/in", named)[0]["type"])


@pytest.mark.parametrize(
    "host",
    [
        HOST,
        "127.0.0.1",
        "localhost:4200",
        "LOCALHOST:9000",
        "[::1]:4200",
        "claims.hospital.example",
        "Claims.Hospital.example:8443",
    ],
)
def test_it_answers_by_its_own_names(host: str) -> None:
    assert status(host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4200",
        "0.0.0.0:4200",
        "127.0.0.1.evil.example:4200",
        "localhost.evil.example",
        "localhost.",
        "evil.example#localhost",
        "localhost@evil.example",
        "127.0.0.1:4200/",
        "127.0.0.1:",
        "127.0.0.1 evil",
        "127.1",
        "2130706433",
        "[::ffff:127.0.0.1]:4200",
        "10.0.0.5:4200",
        "",
    ],
)
def test_a_foreign_host_is_misdirected(host: str) -> None:
    assert status(host=host) == 421
    assert status("GET", "/", host=host) == 421
    assert socket_event(host=host) == "websocket.close"


@pytest.mark.parametrize("hosts", [[], [HOST, HOST], [HOST, "evil.example"]])
def test_no_host_and_two_hosts_are_misdirected(hosts: list[str]) -> None:
    assert events("http", "GET", "/", [("host", host) for host in hosts])[0]["status"] == 421


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (HOST, f"http://{HOST}"),
        ("localhost:4200", "http://localhost:4200"),
        ("claims.hospital.example", "https://claims.hospital.example"),
        ("claims.hospital.example:443", "https://claims.hospital.example"),
        ("[::1]:4200", "http://[::1]:4200"),
    ],
)
def test_its_own_pages_may_speak_to_it(host: str, origin: str) -> None:
    assert status(host=host, origin=origin, sec_fetch_site="same-origin", **JSON) == 200
    assert socket_event(host=host, origin=origin) == "websocket.accept"


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:9999",
        "http://localhost:4200",
        "http://claims.hospital.example:4200",
        "http://127.0.0.1:4200.evil.example",
        "http://evil.example@127.0.0.1:4200",
        f"file://{HOST}",
        f"chrome-extension://{HOST}",
        f"http://{HOST}/",
        f"http://{HOST}, http://evil.example",
        HOST,
    ],
)
def test_pages_of_another_origin_may_not(origin: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
        assert status(method, origin=origin) == 403
    assert socket_event(origin=origin) == "websocket.close"


def test_a_second_origin_does_not_hide_the_first() -> None:
    both = [("host", HOST), ("origin", "http://evil.example"), ("origin", f"http://{HOST}")]
    assert events("http", "GET", API, both)[0]["status"] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something-new"])
def test_what_a_browser_fetches_for_another_site_is_refused_without_an_origin_too(site: str) -> None:
    assert status(sec_fetch_site=site) == 403
    assert status("GET", "/", sec_fetch_site=site, sec_fetch_mode="no-cors", sec_fetch_dest="image") == 403
    assert status("GET", "/", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="iframe") == 403
    assert status("POST", "/", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="document") == 403


def test_a_link_from_elsewhere_opens_a_page_and_nothing_of_the_api() -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert status("GET", "/deployments", **link) == 200
    assert {status("GET", path, **link) for path in ("/api/flows", "//api/flows", "/api")} == {403}


@pytest.mark.parametrize(
    "kind",
    [{}, {"content_type": "text/plain"}, {"content_type": "application/x-www-form-urlencoded"},
     {"content_type": "multipart/form-data; boundary=x"}, {"content_type": "text/plain;application/json"},
     {"content_type": "application/json, text/plain"}, {"content_type": "application/jsonx"}],
)  # fmt: skip
@pytest.mark.parametrize("body", [{"content_length": "9"}, {"transfer_encoding": "chunked"}])
def test_a_body_that_is_not_declared_as_json_is_refused(kind: dict[str, str], body: dict[str, str]) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert status(method, **kind, **body) == 415


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_and_no_body_at_all_may_pass(kind: str) -> None:
    assert status(content_type=kind, content_length="9") == 200
    assert status(content_length="0") == 200
    assert status("DELETE") == 200


def test_a_refusal_is_a_sentence_in_both_languages() -> None:
    _, body = events("http", "GET", "/", [("host", "evil.example")])
    thai, english = body["body"].decode().strip().split("\n")
    assert "service.host_names" in thai
    assert english == "This service has no such name: if it stands behind a proxy, add the name to service.host_names."


def test_answers_say_that_nothing_comes_from_elsewhere_and_no_page_may_frame_them() -> None:
    headers = [*events("http", "GET", "/", [("host", HOST)])[0]["headers"]]
    found = {name.decode().lower(): value.decode() for name, value in headers}
    assert len(headers) == len(found)  # one of each, ours
    assert found["x-frame-options"] == "DENY"
    policy = dict(part.strip().split(" ", 1) for part in found["content-security-policy"].split(";"))
    assert policy["frame-ancestors"] == "'none'"
    assert policy["img-src"] == "'self' data: blob:"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == f"'self' ws://{HOST} wss://{HOST}"


def test_listening_everywhere_it_is_called_by_this_machines_addresses_alone() -> None:
    names = Address("0.0.0.0", 4200).names(["Claims.hospital.example"])
    assert {"127.0.0.1", "localhost", "claims.hospital.example"} <= set(names)
    assert "0.0.0.0" not in names
    assert Address("::1", 4200).url == "http://[::1]:4200"
    assert [Address(host, 1).is_local for host in ("127.0.0.2", "::1", "localhost", "10.0.0.5", "0.0.0.0", "pc")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
