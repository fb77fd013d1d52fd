"""A hospital with its settings in files, and its flow run as a worker of Prefect runs it."""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from sandbox.his import HisSummary, build_hosxp
from sandbox.process import Sandbox
from sandbox.world import CODES_FOLDER

# The last day is 200 days into the fiscal year: every trap has room.
DAYS = 2
FIRST_DAY = date(2026, 5, 14)
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
WINDOW = {"date_from": FIRST_DAY.isoformat(), "date_to": LAST_DAY.isoformat()}


class Site:
    """One hospital's folder of settings.

    Args:
        folder: Made here; holds `moph-claim.toml`, `.env` and, once something ran, `var/`.
        his: Address of its database; empty: none configured.
        sandbox: The stand-in it sends to.
        lines: Further lines of the `[api]`, `[audit]` … sections, as "section.key": value.
    """

    def __init__(self, folder: Path, *, his: str, sandbox: Sandbox, lines: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.account = sandbox.world.accounts[0]
        self.config = folder / "moph-claim.toml"
        self.values: dict[str, Any] = {
            "language": "en",
            "his.url": his,
            "api.token_url": sandbox.token_url,
            "api.api_url": sandbox.api_url,
            "api.username": self.account.username,
            "api.backoff_seconds": 0.01,
            "api.attempts": 2,
            # Days of any year have rates.
            "transform.codes_folder": str(CODES_FOLDER),
            **(lines or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.secrets = {
            "MOPH_CLAIM_API__PASSWORD": self.account.password,
            "MOPH_CLAIM_API__SECRET_KEY": self.account.secret_key,
        }
        self.write()

    def write(self, **secrets: str) -> None:
        """Write both files anew, with other secrets if given."""
        self.secrets |= secrets
        sections: dict[str, list[str]] = {"": []}
        for key, value in self.values.items():
            section, _, name = key.rpartition(".")
            sections.setdefault(section, []).append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
        text = "\n".join("\n".join([f"[{name}]" if name else "", *lines]) for name, lines in sections.items())
        self.config.write_text(text + "\n", encoding="utf-8")
        env = "".join(f"{name}='{value}'\n" for name, value in self.secrets.items())
        (self.folder / ".env").write_text(env, encoding="utf-8")
        for file in (self.config, self.folder / ".env"):
            file.chmod(0o600)

    def set(self, **values: Any) -> None:
        """Change settings; a double underscore stands for the dot: `api__attempts=1`."""
        self.values |= {key.replace("__", "."): value for key, value in values.items()}
        self.write()

    @property
    def audit(self) -> Path:
        """The audit file."""
        return self.folder / "var" / "audit.sqlite"

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What the audit answers to a query."""
        engine = sa.create_engine(f"sqlite:///{self.audit}", poolclass=sa.NullPool)
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(query)).mappings()]

    def states(self) -> dict[str, int]:
        """Claims in the audit by state."""
        return {r["state"]: r["n"] for r in self.rows("select state, count(*) n from claim group by state")}


@dataclass
class Ended:
    """How a run of the flow ended.

    Args:
        id: Prefect's id of the run.
        state: Name of its state, such as Completed.
        message: The state's sentence.
        logs: Every line it logged, with its level.
    """

    id: UUID
    state: str
    message: str
    logs: list[tuple[int, str]] = field(repr=False)

    @property
    def text(self) -> str:
        """All it logged, a line each."""
        return "\n".join(line for _, line in self.logs)


class Trial:
    """Runs a site's flows in this process, as a worker does: a run of the deployment, its parameters out of JSON.

    Args:
        site: The hospital; its settings are those in force.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.sandbox = site.sandbox

    def run(self, **parameters: Any) -> Ended:
        """A new run of `submit-claims`, by default of the whole window."""
        return self._begin("submit_claims", {**WINDOW, **parameters})

    def reconcile(self, **parameters: Any) -> Ended:
        """A new run of `reconcile`."""
        return self._begin("reconcile", parameters)

    def import_workbook(self, **parameters: Any) -> Ended:
        """A new run of `import-workbook`, by default of every file in the inbox."""
        return self._begin("import_workbook", parameters)

    def _begin(self, flow: str, parameters: dict[str, Any]) -> Ended:
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(_deployment(flow), parameters=parameters)
        return self._execute(run.id, flow)

    def retry(self, run: UUID) -> Ended:
        """What the UI's Retry button does: the same run once more, from the state AwaitingRetry."""
        from prefect.client.orchestration import get_client
        from prefect.states import AwaitingRetry

        with get_client(sync_client=True) as client:
            set_back = client.set_flow_run_state(run, AwaitingRetry(message="Retry from the UI"))
            assert set_back.status.value == "ACCEPT", set_back
        return self._execute(run)

    def _execute(self, run_id: UUID, flow: str = "submit_claims") -> Ended:
        from prefect.client.orchestration import get_client
        from prefect.flow_engine import run_flow

        with pytest.MonkeyPatch.context() as environment, get_client(sync_client=True) as client:
            environment.setenv("MOPH_CLAIM_CONFIG", str(self.site.config))
            state = run_flow(_flow(flow), flow_run=client.read_flow_run(run_id), return_type="state")
        return Ended(run_id, state.name, state.message or "", logs_of(run_id))


@dataclass(frozen=True)
class Night:
    """What came of the hospital's nights, run once.

    Args:
        url: The hospital's address.
        hospital: What it holds.
        ended: How the run ended.
        accepted: What the server took: claim (hcode, kind, vn, item) to SHA-256 of the body it got.
        claims: The audit's claims, their payloads among them.
        issues: The audit's issues.
        audit: The audit itself, not to be written.
    """

    url: str
    hospital: HisSummary
    ended: Ended
    accepted: dict[tuple[str, str, str, str], str]
    claims: list[dict[str, Any]]
    issues: list[dict[str, Any]]
    audit: Path


def spend_night(site: Site, hospital: HisSummary) -> Night:
    """Run the site's flow once against a fresh stand-in and gather what came of it."""
    site.sandbox.reset()
    ended = Trial(site).run()
    taken = {(a["hcode"], a["kind"], a["seq"], a["item"]): a["sha256"] for a in site.sandbox.accepted()}
    claims = site.rows("select kind, vn, item, hn, service_date, baht, state, payload from claim order by 1, 2, 3")
    columns = "kind, vn, item, rule, severity, hn, service_date, field, message_th, message_en"
    issues = site.rows(f"select {columns} from issue order by 1, 2, 3, 4, 8")
    return Night(site.values["his.url"], hospital, ended, taken, claims, issues, site.audit)


_deployed: dict[str, UUID] = {}


def _flow(name: str) -> Any:
    return getattr(import_module(f"flows.{name}"), name)


def _deployment(flow: str) -> UUID:
    """A flow's deployment, made once a Prefect server."""
    if flow not in _deployed:
        # Without the server's own check of the parameters: what it lets through, the flow meets.
        _deployed[flow] = _flow(flow).to_deployment("test", enforce_parameter_schema=False).apply()
    return _deployed[flow]


def logs_of(run_id: UUID) -> list[tuple[int, str]]:
    """Everything a run and its tasks logged to Prefect."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()
    with get_client(sync_client=True) as client:
        lines = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])), limit=200)
    return [(line.level, line.message) for line in lines]


def artifacts_of(run: Ended) -> dict[str, str]:
    """The artifacts of a run by key."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        )
    return {str(artifact.key): str(artifact.data) for artifact in found}


def week_of(url: str, **wishes: Any) -> HisSummary:
    """A small hospital with every trap, its window the one the flow is run for."""
    return build_hosxp(url, **{"first_day": FIRST_DAY, "days": DAYS, "visits_a_day": 60, **wishes})


def people_of(his: str) -> set[str]:
    """Every identity number and every name of a hospital's patients and staff, as its tables hold them."""
    engine = sa.create_engine(his, poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = [*connection.execute(sa.text("select cid, fname, lname, passport_no from patient"))]
        rows += connection.execute(sa.text("select name, licenseno from doctor"))
    words = {str(cell).strip() for row in rows for cell in row if cell}
    return words | {word.replace("-", "").replace(" ", "") for word in words}
