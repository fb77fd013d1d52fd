"""Attacks on `moph-claim up`: by a page of another site in a browser, and by an account of this machine without the password."""

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from night_shift import Site, week_of
from selenium.webdriver import Chrome
from up_service import CHROMIUM, ENDED, PATIENCE, Service, browser, find, until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from flows.service.work_pool import POOL
from sandbox.process import running_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("service")]

# The attacker knows the password in each of them: what stops it is not the password alone.
PAGE = """<!doctype html><title>elsewhere</title><body><script>
const prefect = "%(url)s", login = "Basic %(login)s", found = {};
const body = kind => JSON.stringify({name: "planted-" + kind, value: kind});
const told = (kind, promise) => promise.then(
    answer => { found[kind] = "answered " + answer }, () => { found[kind] = "refused" });
const send = (kind, options) => told(kind, fetch(prefect + "/api/variables/",
    {method: "POST", body: body(kind), ...options}).then(answer => answer.type));
const loaded = (kind, tag, attributes) => told(kind, new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(tag), attributes, {onload: resolve, onerror: reject});
    document.body.append(element);
}));
const socket = (kind, path) => told(kind, new Promise((resolve, reject) => {
    const opened = new WebSocket(prefect.replace("http", "ws") + path, ["prefect"]);
    opened.onopen = resolve; opened.onclose = reject;
}));
const form = (kind, enctype) => {
    const frame = Object.assign(document.createElement("iframe"), {name: kind});
    const sent = Object.assign(document.createElement("form"),
        {action: prefect + "/api/variables/", method: "POST", enctype, target: kind});
    sent.append(Object.assign(document.createElement("input"), {name: body(kind).slice(0, -1) + ',"x":"', value: '"}'}));
    document.body.append(frame, sent);
    sent.submit();
};
const all = [
    send("json", {headers: {"Content-Type": "application/json", Authorization: login}}),
    send("plain", {headers: {"Content-Type": "text/plain"}}),
    send("unmarked", {body: new Blob([body("unmarked")])}),
    loaded("picture", "img", {src: prefect + "/ico/favicon-32x32.png"}),
    loaded("script", "script", {src: prefect + "/openapi.json"}),
    loaded("style", "link", {rel: "stylesheet", href: prefect + "/ui-settings"}),
    socket("events in", "/api/events/in"),
    socket("events out", "/api/events/out"),
    socket("logs", "/api/logs/out"),
    told("read", fetch(prefect + "/api/health").then(answer => answer.text())),
];
fetch(prefect + "/api/variables/", {method: "POST", mode: "no-cors", body: body("no-cors")}).catch(() => 0);
navigator.sendBeacon(prefect + "/api/variables/", body("beacon"));
form("form", "text/plain");
document.body.append(Object.assign(document.createElement("iframe"), {src: prefect + "/", id: "framed"}));
Promise.allSettled(all).then(() => { document.title = "done"; window.found = found; });
</script>"""
SENT = ("json", "plain", "unmarked", "no-cors", "beacon", "form")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    his = f"sqlite:///{tmp_path_factory.mktemp('attacked-his') / 'hosxp.sqlite'}"
    week_of(his)
    with running_sandbox() as moph:
        service = Service(Site(tmp_path_factory.mktemp("attacked") / "hospital", his=his, sandbox=moph))
        service.start()
        yield service
        service.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def page() -> Iterator[Chrome]:
    if not all(program.exists() for program in CHROMIUM):
        if os.environ.get("CI"):
            pytest.fail("CI attacks from a page, and Chromium is missing")
        pytest.skip("chromium and chromedriver are not installed")
    # rebound.example is a name of the attacker's that was pointed at this machine.
    with browser("MAP rebound.example 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1") as page:
        yield page


@pytest.fixture(scope="module")
def elsewhere(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the attacker's page: another port of this machine, so the browser's "same site"."""
    folder = tmp_path_factory.mktemp("elsewhere")
    login = base64.b64encode(service.password.encode()).decode()
    (folder / "index.html").write_text(PAGE % {"url": service.url, "login": login})

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def curl(service: Service, path: str, *options: str) -> str:
    """The status of an answer, as an account of this machine without the password gets it."""
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "60", *options, service.url + path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def planted(service: Service) -> set[str]:
    """What an attack has written."""
    return {each["name"] for each in service.ask("variables/filter")}


def test_a_page_of_another_site_can_neither_send_nor_read(service: Service, page: Chrome, elsewhere: str) -> None:
    page.get(elsewhere)
    until(lambda: page.title == "done")
    found = page.execute_script("return window.found")
    assert found == dict.fromkeys(found, "refused")
    assert len(found) == 10
    assert planted(service) == set()
    page.switch_to.frame("framed")
    assert page.find_elements("id", "app") == []  # Prefect's page would have it
    page.switch_to.default_content()


def test_a_name_pointed_at_this_machine_is_refused(service: Service, page: Chrome) -> None:
    page.get(f"http://rebound.example:{service.port}/")
    assert "This service has no such name" in find(page, "//body").text
    login = base64.b64encode(service.password.encode()).decode()
    ask = f"""
        const done = arguments[0];
        fetch("/api/flow_runs/filter", {{method: "POST", body: "{{}}", headers:
            {{"Content-Type": "application/json", Authorization: "Basic {login}"}}}}).then(a => done(a.status));
    """
    assert page.execute_async_script(ask) == 421


def test_a_picture_that_a_text_names_is_not_fetched(service: Service, page: Chrome, elsewhere: str) -> None:
    service.log_in(page)
    load = """
        const done = arguments[1], picture = document.createElement("img");
        picture.onload = () => done("fetched"); picture.onerror = () => done("refused");
        picture.src = arguments[0];
        document.body.append(picture);
    """
    assert page.execute_async_script(load, f"{service.url}/ico/favicon-32x32.png") == "fetched"
    blocked = "document.addEventListener('securitypolicyviolation', e => { window.blocked = e.effectiveDirective })"
    page.execute_script(blocked)
    assert page.execute_async_script(load, f"{elsewhere}pixel.png") == "refused"
    assert page.execute_script("return window.blocked") == "img-src"


@pytest.mark.parametrize(
    "path",
    ["flow_runs/filter", "deployments/filter", "variables/", "automations/", "events", "work_pools/filter", "logs/filter",
     "block_documents/filter", "artifacts/filter", "ui/flow_runs/history"],
)  # fmt: skip
def test_without_the_password_nothing_is_read_or_started(service: Service, path: str) -> None:
    json_body = ("-H", "Content-Type: application/json", "-d", "{}")
    for login in ((), ("-u", "moph-claim:wrong"), ("-u", "moph-claim:"), ("-H", "Authorization: Bearer x")):
        assert curl(service, f"/api/{path}", *json_body, *login) == "401"
    assert curl(service, f"/api/{path}", "-X", "GET") in ("401", "405")
    assert curl(service, f"/api/{path}", "-d", "{}") == "415"


def test_only_health_and_the_pages_files_are_open(service: Service) -> None:
    assert {curl(service, path) for path in ("/api/health", "/api/ready", "/", "/ui-settings")} == {"200"}
    closed = (
        "admin/settings",
        "admin/version",
        "docs",
        "openapi.json",
        "csrf-token",
        "metrics",
        "health/../admin/settings",
    )
    assert {curl(service, f"/api/{path}", "--path-as-is") for path in closed} == {"401"}


def test_the_settings_show_no_secret_even_with_the_password(service: Service) -> None:
    shown = json.dumps(service.look("admin/settings"))
    assert service.auth[1] not in shown
    assert "prefect.db" not in shown


@pytest.mark.parametrize("path", ["events/in", "events/out", "logs/out", f"work_pools/{POOL}/workers/connect"])
@pytest.mark.parametrize("token", [None, "", "moph-claim:wrong", 7])
def test_a_socket_without_the_password_is_closed_before_anything_is_taken(
    service: Service, path: str, token: str | int | None
) -> None:
    url = f"ws://127.0.0.1:{service.port}/api/{path}"
    with pytest.raises(InvalidStatus), connect(url):
        pass
    with connect(url, subprotocols=[Subprotocol("prefect")]) as socket, pytest.raises(ConnectionClosed):
        socket.send(json.dumps({"type": "auth", "token": token}))
        socket.recv(timeout=PATIENCE)


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1:1"])
def test_a_socket_of_another_page_is_not_opened(service: Service, origin: str) -> None:
    url = f"ws://127.0.0.1:{service.port}/api/events/in"
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(url, subprotocols=[Subprotocol("prefect")], additional_headers={"Origin": origin}),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_no_run_and_no_deployment_names_a_command_an_environment_or_a_folder(service: Service, tmp_path: Path) -> None:
    proof = tmp_path / "a-shell-was-here"
    variables = {"command": f"touch {proof}", "env": {"BASH_ENV": "/tmp/x"}, "working_dir": "/"}
    nightly = service.deployment()
    body: dict[str, Any] = {"parameters": {"dry_run": True}, "job_variables": variables}
    started = requests.post(
        f"{service.url}/api/deployments/{nightly['id']}/create_flow_run", json=body, auth=service.auth, timeout=PATIENCE
    )
    assert started.status_code == 422
    # What is written into the deployment behind the run's back has no effect.
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2099-01-01T00:00:00Z"}}
    run = service.ask(f"deployments/{nightly['id']}/create_flow_run", parameters={"dry_run": True}, state=later)
    service.change(f"deployments/{nightly['id']}", job_variables=variables)
    now = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2020-01-01T00:00:00Z"}}
    service.ask(f"flow_runs/{run['id']}/set_state", state=now, force=True)
    (ended,) = until(lambda: [r for r in service.runs(*ENDED) if r["id"] == run["id"]])
    service.change(f"deployments/{nightly['id']}", job_variables={})
    assert ended["state_type"] == "COMPLETED", ended["state"]["message"]
    assert not proof.exists()


def test_a_run_by_hand_reports_to_the_running_service(service: Service) -> None:
    before = {run["id"] for run in service.runs(*ENDED)}
    command = Path(sys.executable).with_name("moph-claim")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MOPH_CLAIM_", "PREFECT_"))}
    done = subprocess.run([command, "run", "--dry-run"], cwd=service.site.folder, env=clean, check=False)
    assert done.returncode == 0
    assert len({run["id"] for run in service.runs("COMPLETED")} - before) == 1


def test_the_password_stands_in_its_file_alone(service: Service) -> None:
    secret = service.auth[1].encode()
    var = service.site.folder / "var"
    with sqlite3.connect(var / "prefect" / "prefect.db") as database:
        assert secret not in "\n".join(database.iterdump()).encode()
    holders = {path.name for path in var.rglob("*") if path.is_file() and secret in path.read_bytes()}
    assert holders == {"password"}
    for pid in (service.process.pid, *service.processes()):
        with suppress(FileNotFoundError):  # it has ended by itself just now
            assert secret not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert not any(service.auth[1] in line for line in service.said)


def test_a_pool_and_an_automation_that_somebody_changed_are_ours_again_after_a_start(service: Service) -> None:
    open_template = {
        "job_configuration": {"command": "{{ command }}"},
        "variables": {"type": "object", "properties": {"command": {"type": "string"}}},
    }
    service.change(f"work_pools/{POOL}", base_job_template=open_template)
    (watch,) = service.ask("automations/filter")
    service.change(f"automations/{watch['id']}", enabled=False)
    password = service.password
    service.stop(signal.SIGINT)
    service.start()
    assert service.password == password
    template = service.look(f"work_pools/{POOL}")["base_job_template"]
    assert template["variables"] == {"type": "object", "properties": {}, "additionalProperties": False}
    assert [each["enabled"] for each in service.ask("automations/filter")] == [True]
