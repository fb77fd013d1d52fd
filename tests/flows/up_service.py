"""`moph-claim up` as a test sees it: a process in a hospital's folder, its API, and its pages in a browser."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import requests
from lifeline import ending_with_parent
from night_shift import Site
from prefect_service import free_port
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

Found = TypeVar("Found")

OUR_VARIABLES = ("MOPH_CLAIM_", "PREFECT_")
CHROMIUM = (Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver"))
# Nothing beyond this machine may be needed to see the pages.
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en-US",
    "--window-size=1180,1480",
]
ONLY_HERE = "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


# Seconds. Whoever waits longer waits for nothing, on a busy machine too.
PATIENCE = 300

UNDER_WAY = ("SCHEDULED", "PENDING", "RUNNING")
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def up(folder: Path, port: int, *options: str, **variables: str) -> "subprocess.Popen[str]":
    """Start the command in a folder with these variables; nothing of this process's settings goes along."""
    command = Path(sys.executable).with_name("moph-claim")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)}
    return subprocess.Popen(
        [command, "up", "--port", str(port), *options],
        cwd=folder,
        env=clean | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=ending_with_parent(),
    )


class Service:
    """One `moph-claim up` over a site's folder.

    Args:
        site: The hospital it serves.
        variables: Of its environment.
    """

    def __init__(self, site: Site, **variables: str) -> None:
        self.site = site
        self.variables = variables
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.said: list[str] = []

    def start(self) -> None:
        """Start it and wait until it says that all is ready."""
        self.process = up(self.site.folder, self.port, **self.variables)
        assert self.process.stdout is not None
        self.said = []
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if "Ready" in line:
                return
        assert self.process.stderr is not None
        raise AssertionError(f"it ended: {self.said} {self.process.stderr.read()}")

    @property
    def password(self) -> str:
        """What its pages and its API ask for, as name:password."""
        return (self.site.folder / "var" / "prefect" / "password").read_text(encoding="ascii").strip()

    @property
    def auth(self) -> tuple[str, str]:
        """The password as `requests` takes it."""
        name, _, secret = self.password.partition(":")
        return name, secret

    def look(self, path: str) -> Any:
        """What the Prefect API answers to GET."""
        reply = requests.get(f"{self.url}/api/{path}", timeout=PATIENCE, auth=self.auth)
        reply.raise_for_status()
        return reply.json()

    def log_in(self, page: Chrome) -> None:
        """Log in at the pages."""
        page.get(self.url)
        find(page, "//input[@type='password']").send_keys(self.password)
        find(page, "//button[contains(., 'Login')]").click()
        find(page, "//*[contains(., 'Active Work Pools')]")

    def stop(self, how: signal.Signals) -> str:
        """Send it a signal, and give what it said until it had ended."""
        self.process.send_signal(how)
        said, _ = self.process.communicate(timeout=PATIENCE)
        return said

    def ask(self, path: str, **body: Any) -> Any:
        """What the Prefect API answers."""
        return self._call("POST", path, body).json()

    def change(self, path: str, **body: Any) -> None:
        """Change what the Prefect API has there."""
        self._call("PATCH", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any]) -> requests.Response:
        deadline = time.monotonic() + PATIENCE
        while True:
            # Prefect waits for its SQLite for up to a minute.
            reply = requests.request(method, f"{self.url}/api/{path}", json=body, timeout=PATIENCE, auth=self.auth)
            # Then it says that it is busy, and its own clients ask again as well.
            if reply.status_code != 503 or time.monotonic() > deadline:
                reply.raise_for_status()
                return reply
            time.sleep(0.5)

    def deployment(self, name: str = "nightly") -> dict[str, Any]:
        """A deployment of the timetable."""
        return next(d for d in self.ask("deployments/filter") if d["name"] == name)

    def runs(self, *states: str) -> list[dict[str, Any]]:
        """The runs in states of these types, the next first."""
        wanted = {"state": {"type": {"any_": list(states)}}}
        return list(self.ask("flow_runs/filter", flow_runs=wanted, sort="EXPECTED_START_TIME_ASC"))

    def by_hand(self, *states: str) -> list[dict[str, Any]]:
        """The runs a person has started."""
        return [r for r in self.runs(*(states or UNDER_WAY + ENDED)) if not r["auto_scheduled"]]

    def begin_long_run(self) -> dict[str, Any]:
        """A run over years of empty days, once its process is at work."""
        parameters = {"date_from": "2020-01-01", "dry_run": True}
        started = self.ask(f"deployments/{self.deployment()['id']}/create_flow_run", parameters=parameters)
        (run,) = until(lambda: [r for r in self.runs("RUNNING") if r["id"] == started["id"]])
        return dict(run)

    def processes(self) -> list[int]:
        """The living processes that it has started."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment = (process / "environ").read_bytes()
                if f"MOPH_CLAIM_FOLDER={self.site.folder}\0".encode() in environment:
                    found.append(int(process.name))
        return found

    def process_of(self, part: str) -> int:
        """The process of its "server" or its "worker"."""
        started = {"server": b"\0flows.service.server\0", "worker": b"\0worker\0start\0"}[part]
        (pid,) = [p for p in self.processes() if started in Path(f"/proc/{p}/cmdline").read_bytes()]
        return pid


def until(look: Callable[[], Found], seconds: float = PATIENCE) -> Found:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)
    return found


@contextmanager
def browser(names: str = ONLY_HERE) -> Iterator[Chrome]:
    """A headless Chromium that reaches this machine alone.

    Args:
        names: Chromium's rules of where a host name leads to.
    """
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM[0])
    for flag in (*CHROMIUM_FLAGS, f"--host-resolver-rules={names}"):
        options.add_argument(flag)
    ends = {"preexec_fn": ending_with_parent()}
    service = ChromeService(str(CHROMIUM[1]), env={**os.environ, "TZ": "Asia/Bangkok"}, popen_kw=ends)
    page = Chrome(options=options, service=service)
    try:
        yield page
    finally:
        page.quit()


def find(page: Chrome, xpath: str, seconds: float = PATIENCE) -> WebElement:
    """An element, once it can be seen."""

    def seen(_: Chrome) -> WebElement | None:
        return next((e for e in page.find_elements(By.XPATH, xpath) if e.is_displayed()), None)

    return WebDriverWait(page, seconds, ignored_exceptions=[Exception]).until(seen)  # type: ignore[return-value]


def field(name: str, inside: str) -> str:
    """The XPath of something in a parameter's part of the form."""
    label = f"div[contains(@class, 'schema-form-property__header')]/span[starts-with(., '{name} ')]"
    return f"//div[contains(@class, 'schema-form-property ') or contains(@class, 'p-label')][div//{label}]//{inside}"


def picture(page: Chrome, name: str, width: int, height: int) -> None:
    """Keep a picture of the page in the folder that the variable PICTURES names, if it does."""
    if folder := os.environ.get("PICTURES"):
        page.set_window_size(width, height)
        page.execute_script("document.activeElement.blur()")
        page.execute_async_script("document.fonts.ready.then(arguments[0])")
        time.sleep(1.5)  # for drawings that move into place
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.save_screenshot(str(Path(folder) / f"{name}.png"))
