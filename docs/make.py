"""Writes what is made from the code: the pages of settings, rules, outcomes and payloads, and the samples. `make docs`."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args, get_origin

import pandas as pd
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from extract.settings import HisSettings
from extract.source import open_source
from flows.report import STATE_NAMES
from flows.settings import Settings, keys, variable
from load.outcomes import NO_ANSWER, NOT_SENT, REDIRECTED, UNREADABLE, meanings
from load.settings import ADDRESSES, TOKEN_ADDRESSES_SEEN_IN_THE_FIELD
from load.states import State
from sandbox.his import build_hosxp
from transform.claim import KINDS
from transform.claims import make_claims, wanted
from transform.payload import json_schema
from transform.rules import registry

FOLDER = Path(__file__).parent
SAMPLES = FOLDER.parent / "data" / "samples"
NOTE = "<!-- Made from the code by `make docs`; change the code, not this page. -->\n"


def settings_page() -> str:
    """Every setting, with its variable, default and meaning."""
    lines = [
        "# Settings",
        NOTE,
        "They are read from `moph-claim.toml` in the folder the command is started in (or the file that",
        "`MOPH_CLAIM_CONFIG` names), then from `.env` beside it, then from the environment; the later wins. A name that is",
        "not in this list is an error. Keep passwords and keys in `.env`, in single quotes: a secret key holds `$`.",
        "",
        "`moph-claim config` shows what is in force, secrets masked; `moph-claim doctor` tries it out.",
        "",
        "```toml",
        'language = "th"',
        "",
        "[facility]",
        'hcode = "10953"',
        "",
        "[his]",
        'url = "mysql+pymysql://reader@10.0.0.5/hos"',
        "",
        "[api]",
        'environment = "uat"',
        'username = "…"',
        "```",
        "",
        "| setting | variable | default | meaning |",
        "|---|---|---|---|",
    ]
    for key, field in keys(Settings):
        default = field.default if field.default is not PydanticUndefined else ""
        lines.append(f"| `{key}` | `{variable(key)}` | {_default(default)} | {field.description} {_choices(field)}|")
    lines += ["", "## Addresses", "", "| environment | log-in | API |", "|---|---|---|"]
    lines += [f"| {name} | {token} | {api} |" for name, (token, api) in ADDRESSES.items()]
    lines += [
        "",
        "The log-in address of `prd` is the one of the ministry's manual; programs in the field use others:",
        "",
        *(f"- {url}" for url in TOKEN_ADDRESSES_SEEN_IN_THE_FIELD),
        "",
        "If yours cannot be found, set `api.token_url` to one of them.",
        "",
        "## What the ministry has not written down",
        "",
        "These are settings because no public text says what the API expects. Ask, or try in `uat`, before you change them:",
        "",
        "- `transform.dose_quantity`: a count, the number of the dose, or millilitres?",
        "- `transform.site_code`, `transform.route_code`: which list? Empty is taken.",
        "- `api.required_scope`: the name of the right in the token.",
        "- `api.ask_eligibility`: the check before a claim in doubt is sent once more; seen in one program only.",
    ]
    return "\n".join(lines) + "\n"


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return f"`{value}`" if value not in ("", None) else ""


def _choices(field: Any) -> str:
    if get_origin(field.annotation) is Literal:
        return "One of " + ", ".join(f"`{choice}`" for choice in get_args(field.annotation)) + ". "
    return ""


def rules_page() -> str:
    """Every rule a record must pass."""
    lines = [
        "# Rules",
        NOTE,
        "What a record must fulfil to become a claim. An **error** keeps it back and is listed by `moph-claim issues`; a",
        "**warning** goes along with the claim. Lists, rates, ages and limits are CSV files in `transform/codes/`, each row",
        "with the days it is valid and its source; a site's own file replaces ours through `transform.codes_folder`.",
        "A visit whose right or diagnosis does not qualify is no claim and no issue.",
        "",
        "| rule | | kinds | what is wrong | what to do | source |",
        "|---|---|---|---|---|---|",
    ]
    for rule in registry().values():
        what = f"{rule.message.th}<br>{rule.message.en}"
        todo = f"{rule.advice.th}<br>{rule.advice.en}"
        lines.append(f"| `{rule.code}` | {rule.severity} | {', '.join(rule.kinds)} | {what} | {todo} | {rule.source} |")
    return "\n".join(lines) + "\n"


NEXT_RUN = {
    State.READY: "goes",
    State.SENDING: "of a run that died: treated as in doubt",
    State.ACCEPTED: "never sent again",
    State.PRESUMED_ACCEPTED: "never sent again; look it up on MOPH Claim's own pages",
    State.HELD: "goes again",
    State.RETRY: "goes again",
    State.IN_DOUBT: "asked about, then sent once more if that does not settle it",
    State.CORRECTABLE: 'goes when the record has changed in the HIS, or with `--send "only failed"`',
    State.FINAL: "never sent again",
    State.WITHDRAWN: "goes if the HIS gives it again",
}


def outcomes_page() -> str:
    """What an answer means, and where a claim stands after it."""
    lines = [
        "# Outcomes",
        NOTE,
        "## Where a claim stands, and what the next run does with it",
        "",
        "| state | in reports | next run |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{state}` | {STATE_NAMES[state].th} / {STATE_NAMES[state].en} | {NEXT_RUN[state]} |" for state in State
    ]
    lines += [
        "",
        "## What an answer means",
        "",
        "The envelope's `status` (or `code`) counts before the HTTP status. The first row that fits counts; a message fits",
        "when it holds the row's text. A refusal marked *claimed already*, when it meets a claim that may have been taken",
        "before, makes that claim *presumed accepted*.",
        "",
        "| status | message | outcome | | meaning | what to do | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for m in (*meanings(), REDIRECTED, UNREADABLE, NO_ANSWER, NOT_SENT):
        marks = ", ".join(w for w, on in (("claimed already", m.already_claimed), ("maybe taken", m.maybe_taken)) if on)
        status = {0: "no answer", 300: "3xx"}.get(m.status, str(m.status))
        meaning, todo = f"{m.meaning.th}<br>{m.meaning.en}", f"{m.advice.th}<br>{m.advice.en}"
        lines.append(f"| {status} | {m.pattern} | {m.outcome} | {marks} | {meaning} | {todo} | {m.source} |")
    lines += ["", "Other 4xx are treated as 400, other 5xx as 500."]
    return "\n".join(lines) + "\n"


def payloads_page() -> str:
    """The JSON Schema of what is sent."""
    lines = ["# Payloads", NOTE, "One JSON object a claim; all scalars are strings."]
    for service in ("dmht", "epi", "dt"):
        schema = json.dumps(json_schema(service), ensure_ascii=False, indent=2)
        lines += ["", f"## {service}", "", "```json", schema, "```"]
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "rules.md": rules_page,
    "outcomes.md": outcomes_page,
    "payloads.md": payloads_page,
}


def samples() -> Iterator[tuple[Path, str]]:
    """One payload of each kind, of people who do not exist."""
    day = date(2026, 10, 1)
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/hosxp.sqlite"
        build_hosxp(url, first_day=day, days=1, visits_a_day=100, traps=False)
        with open_source(HisSettings(url=SecretStr(url))) as source:
            hcode = source.facility().hcode
            tables = source.read_day(day, wanted(KINDS))
    history = pd.DataFrame({"kind": [], "pid": [], "vn": [], "service_date": pd.to_datetime([])})
    claims = make_claims(tables, kinds=KINDS, hcode=hcode, history=history).claims
    for kind in KINDS:
        claim = next(c for c in claims if c.kind == kind)
        payload = json.dumps(json.loads(claim.payload), ensure_ascii=False, indent=2)
        yield SAMPLES / f"{kind}.json", payload + "\n"


def pages() -> Iterator[tuple[Path, str]]:
    """Each page's file, and what should stand in it."""
    yield from ((FOLDER / name, make()) for name, make in PAGES.items())
    yield from samples()


if __name__ == "__main__":
    for path, text in pages():
        path.write_text(text, encoding="utf-8")
