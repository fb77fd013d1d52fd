"""Writes what is made from the code: the pages of settings, rules, outcomes, payloads and states, and the samples. `make docs`."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args, get_origin

import pandas as pd
from openpyxl import load_workbook
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from extract.contract import DayTables
from extract.settings import HisSettings
from extract.source import open_source
from extract.workbook.layout import SheetName, layouts
from extract.workbook.records import from_json
from extract.workbook.rows import Value
from flows.settings.keys import FACILITIES, keys, variable
from flows.settings.model import Settings
from flows.settings.sections import OwnSettings
from load.display_names import CAUSE_NAMES, STATE_NAMES
from load.outcomes import meanings
from load.settings import ADDRESSES, TOKEN_ADDRESSES_SEEN_IN_THE_FIELD
from load.states import DUE, MACHINE, NOT_ACCEPTED_STATES, Cause, State, Transitions
from load.workbook.template import write_template
from sandbox.his import build_hosxp
from transform.claim import KINDS, SERVICES, Claim
from transform.claims import make_claims, wanted
from transform.codes import read_codes
from transform.dropdown_choices import choices
from transform.payload import json_schema
from transform.rules import registry
from transform.workbook_rows import records_of

FOLDER = Path(__file__).parent
SAMPLES = FOLDER.parent / "data" / "samples"
SAMPLE_DAY = date(2026, 10, 1)
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
    lines += ["", *_several_facilities()]
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
        "## Certificates, proxies and time",
        "",
        "One rule for the log-in and for the sending:",
        "",
        "- A server's certificate must be vouched for by the usual authorities, or by those of `api.ca_bundle`, which then count",
        "  alone. `REQUESTS_CA_BUNDLE` and the like are not read, and the check cannot be switched off.",
        "- Proxies are those of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`. An address on this machine",
        "  is called directly.",
        "- With `uat` or `prd`, an `http://` address is refused unless it leads to this machine itself (`localhost`, `127.0.0.1`,",
        "  `::1`), as to a proxy program of the hospital.",
        "- Redirects are not followed, cookies not kept, `.netrc` not read.",
        "- An exchange may take `api.connect_timeout_seconds` and `api.read_timeout_seconds` together, however slowly its bytes",
        "  come, and an answer may have 1 MB. The log-in tries no more after one exchange's time.",
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


def _several_facilities() -> list[str]:
    own = list(OwnSettings.model_fields)
    shared = [name for name in Settings.model_fields if name not in (*own, FACILITIES)]
    secrets = ("hospital", "api.password"), ("health-centre", "api.secret_key")
    return [
        "## Several facilities",
        "",
        f"Each has a name and tables `[facilities.NAME.…]`: {_listed(own)}.",
        "It sets what it has for itself; whatever it does not say is as the file says it for all. Always shared are",
        f"{_listed(shared)}.",
        "",
        "```toml",
        "[api]",
        'environment = "prd"',
        "",
        "[facilities.hospital.facility]",
        'hcode = "10953"',
        "",
        "[facilities.hospital.his]",
        'url = "mysql://reader@10.0.0.5/hos"',
        "",
        "[facilities.hospital.api]",
        'username = "…"',
        "",
        "[facilities.health-centre.facility]",
        'hcode = "01234"',
        "",
        "[facilities.health-centre.his]",
        'url = "mysql://reader@10.0.0.9:3333/jhcisdb"',
        "",
        "[facilities.health-centre.api]",
        'username = "…"',
        "```",
        "",
        "A name is of small letters and digits, with a single dash or underscore between words. The variable of a key is",
        "its name after `MOPH_CLAIM_`, `__` for each dot, and an underscore for a dash, in `.env` as in the environment:",
        "",
        "```",
        *(f"{variable(f'{FACILITIES}.{name}.{key}')}='…'" for name, key in secrets),
        "```",
        "",
        "A variable of a facility that `moph-claim.toml` does not name is an error. So are two facilities whose names differ",
        "by dash and underscore only, or that have the same hcode in the same environment, or the same inbox. A facility's",
        "inbox is the folder of its name in `inbox.folder`, unless it sets one. Give each its `facility.hcode`: then a HIS",
        "that is another's is found out before a patient is read. Where a sentence names a setting, as `his.url`, it is that",
        "of the facility it speaks of.",
    ]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


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
        "**warning** goes along with the claim, or is about one that was accepted (`taken…`). Lists, rates, ages and",
        "limits are CSV files in `transform/codes/`, each row with the days it is valid and its source; a site's own file",
        "replaces ours through `transform.codes_folder`.",
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
    State.READY: "goes, as its source has it then",
    State.SENDING: "of a run that died: treated as in doubt",
    State.ACCEPTED: "never sent again",
    State.PRESUMED_ACCEPTED: "never sent again; look it up on MOPH Claim's own pages, then `moph-claim settle`",
    State.HELD: "goes again, as its source has it then",
    State.RETRY: "goes again, as its source has it then",
    State.IN_DOUBT: "asked about; if that does not settle it and its source still says the same, sent once more",
    State.CORRECTABLE: 'goes when the record has changed in the HIS, or with `--send "only failed"`',
    State.FINAL: "never sent again, but for a visit that is another person's or day's now; if its acceptance is found on MOPH Claim's own pages, `moph-claim settle`",
    State.GIVEN_UP: 'goes with `--send "only failed"`, or when a person says so (`moph-claim settle`)',
    State.WITHDRAWN: "goes if the HIS gives it again",
}
MEANS = {
    State.READY: "registered, and never sent; or to be sent anew",
    State.SENDING: "the intent to send it is committed, its answer is not",
    State.ACCEPTED: "taken, under a transaction number",
    State.PRESUMED_ACCEPTED: "it was in doubt, and its second sending was refused as claimed already: a person has a look",
    State.HELD: "there is no closing code for the visit yet",
    State.RETRY: "the server was busy or away; certainly not taken",
    State.IN_DOUBT: "sent, and no answer came: it may have been taken",
    State.CORRECTABLE: "refused for its data, which can be mended in the HIS",
    State.FINAL: "refused for good",
    State.GIVEN_UP: "held for longer than `reconcile.held_days`",
    State.WITHDRAWN: "not taken yet, and the HIS or the rules no longer give it",
}


FORMS = {"": "any", "own": "MOPH Claim's own", "fields": "its own, naming fields", "other": "none of its own"}


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
        "A claim counts as **accepted** only if nothing in the answer speaks against it: HTTP and the envelope's `status` (or",
        "`code`) say yes, and so do flags such as `success` and the words of a status; no text is that of a refusal; and",
        "`data.transaction_uid` is plain text or a number of at most 64 characters that no other claim has. An answer that says",
        "yes and no is in doubt.",
        "",
        "A **record** is blamed only by an answer in MOPH Claim's own form, a JSON object with a message and a status or a Thai",
        'message, with 400 or 422. Pages, plain text and `{"error": {"statusCode": …}}` come from a proxy, a web filter or a',
        "gateway: the claim is sent again, and if all fail alike, sending pauses and then ends.",
        "",
        "The first row that fits counts; a message fits when it holds the row's text. Where HTTP says yes and the envelope no, or",
        "where two statuses differ, the record is blamed only by a text of this table. A refusal marked *claimed already*, when it",
        "meets a claim that may have been taken before, makes that claim *presumed accepted*.",
        "",
        "| status | form | message | outcome | | meaning | what to do | source |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for m in meanings():
        marks = ", ".join(
            w for w, on in (("claimed already", m.already_claimed), ("maybe taken", m.possibly_accepted)) if on
        )
        status, form = m.status or f"*{m.case.replace('_', ' ')}*", FORMS[m.form]
        meaning, todo = f"{m.meaning.th}<br>{m.meaning.en}", f"{m.advice.th}<br>{m.advice.en}"
        lines.append(f"| {status} | {form} | {m.pattern} | {m.outcome} | {marks} | {meaning} | {todo} | {m.source} |")
    return "\n".join(lines) + "\n"


def payloads_page() -> str:
    """The JSON Schema of what is sent."""
    lines = ["# Payloads", NOTE, "One JSON object a claim; all scalars are strings."]
    for service in ("dmht", "epi", "dt"):
        schema = json.dumps(json_schema(service), ensure_ascii=False, indent=2)
        lines += ["", f"## {service}", "", "```json", schema, "```"]
    return "\n".join(lines) + "\n"


# Two drawings: in one, the arrows would cover each other. States that a cause treats alike stand in a box.
SENDING = (Cause.FOUND, Cause.INTENT, Cause.UNSENT, Cause.ANSWERED, Cause.RUN_DIED)
MAY_GO = ("may_go", "may go", frozenset({*DUE, State.CORRECTABLE, State.GIVEN_UP}))
NOT_TAKEN = ("not_taken", "certainly not taken", frozenset(NOT_ACCEPTED_STATES))
Box = tuple[str, str, frozenset[State]]


def states_page() -> str:
    """The state machine of `load/states.py`: a drawing, the states, and what moves a claim."""
    lines = [
        "# States",
        NOTE,
        "The life of a claim, as `load/states.py` has it. The audit database refuses every other change of state, and writes",
        "each one into `claim_history`; `moph-claim audit show` tells a claim's own life.",
        "",
        "## Sending",
        "",
        *_drawing(MAY_GO, lambda cause: cause in SENDING),
        "",
        "`unsent` leads back to where the claim stood before; an answer that comes late still counts.",
        "",
        "## Besides",
        "",
        *_drawing(NOT_TAKEN, lambda cause: cause not in SENDING or cause is Cause.FOUND),
        "",
        "## States",
        "",
        "| state | in reports | what it means | next run |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{state}` | {STATE_NAMES[state].th} / {STATE_NAMES[state].en} | {MEANS[state]} | {NEXT_RUN[state]} |"
        for state in State
    ]
    lines += ["", "## What moves a claim", "", "| cause | | from | to |", "|---|---|---|---|"]
    for some in MACHINE:
        why = CAUSE_NAMES[some.cause]
        lines.append(f"| `{some.cause}` | {why.th} / {why.en} | {_states(some.before)} | {_states(some.after)} |")
    return "\n".join(lines) + "\n"


def _states(some: Iterable[State | None]) -> str:
    return ", ".join(f"`{state}`" if state else "a new claim" for state in some)


def _drawing(box: Box, drawn: Callable[[Cause], bool]) -> Iterator[str]:
    """What some causes do, in Mermaid's words."""
    name, title, inside = box
    labels: dict[tuple[str, str], list[str]] = {}
    for some in MACHINE:
        for pair in _arrows(some, box) if drawn(some.cause) else ():
            labels.setdefault(pair, []).append(some.cause)
    yield from ("```mermaid", "stateDiagram-v2", f'    state "{title}" as {name} {{')
    yield from (f"        {state}" for state in State if state in inside)
    yield "    }"
    if any(before == "answer" for before, _ in labels):
        yield "    state answer <<choice>>"
    if back := labels.pop(("sending", name), []):  # one arrow for both ways: two would cover each other
        labels[name, "sending"].append(f"back: {', '.join(back)}")
    for (before, after), causes in labels.items():
        label = "" if before == "answer" else f": {', '.join(dict.fromkeys(causes))}"
        yield f"    {before} --> {after}{label}"
    yield "```"


def _arrows(some: Transitions, box: Box) -> Iterator[tuple[str, str]]:
    """A cause's arrows: from or to the box where it treats all that is inside alike."""
    before, after = _boxed(some.before, box), _boxed(some.after, box)
    if len(before) > 1 and len(after) > 1:  # all of them to all of those: by way of a point
        yield from ((b, "answer") for b in before)
        before = ["answer"]
    yield from ((b, a) for b in before for a in after if b != a)


def _boxed(some: tuple[State | None, ...], box: Box) -> list[str]:
    name, _, inside = box
    boxed = [name] if inside <= set(some) else []
    return boxed + [str(state) if state else "[*]" for state in some if not boxed or state not in inside]


def columns_page() -> str:
    """Every column of a workbook, as it is written and read."""
    types = {
        "code": "text; a number is refused, its zeros may be lost",
        "text": "text",
        "cid": "13 digits, dashes and spaces allowed; a number of 13 digits is taken",
        "date": "a day, Buddhist or CE years",
        "time": "a time of day",
        "choice": "one of the list",
        "suggest": "one of the list, or other text",
        "icd10": "ICD-10 codes, with commas between",
        "result": "a number, as text or number",
        "count": "a whole number",
    }
    lines = [
        "# Columns of a workbook",
        NOTE,
        "What a sheet may hold, in the order of the template; [workbook.md](workbook.md) says how a workbook is filled in",
        "and imported. Columns are found by their heading in Thai or English, by the field's name, or by one of the other",
        "headings, in any order. **Needed** columns must be there; a visit's person and diagnoses need to be typed in one of",
        "its rows only. Further columns are left alone, and named in the result.",
    ]
    for layout in layouts().values():
        lines += ["", f"## {layout.title.th} / {layout.title.en}", "", f"{layout.intro.th}", "", layout.intro.en, ""]
        lines += ["| heading | field | other headings | what is typed |", "|---|---|---|---|"]
        for c in layout.columns:
            heading = f"{c.heading.th} / {c.heading.en}" + (" **needed**" if c.needed else "")
            typed = types[c.type] + (f" `{c.choices}`" if c.choices else "")
            helped = f"<br>{c.help.th}<br>{c.help.en}" if c.help.th else ""
            lines.append(f"| {heading} | `{c.name}` | {', '.join(c.also)} | {typed}{helped} |")
    lines += ["", "## Lists", "", "A cell may hold the entry, its code, or one of its other spellings.", ""]
    lines += ["| list | entries |", "|---|---|"]
    for name, entries in choices(read_codes()).items():
        lines.append(f"| `{name}` | {', '.join(e.label for e in entries)} |")
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "rules.md": rules_page,
    "outcomes.md": outcomes_page,
    "payloads.md": payloads_page,
    "states.md": states_page,
    "columns.md": columns_page,
}


@cache
def sample_day() -> tuple[DayTables, tuple[Claim, ...]]:
    """A service day of people who do not exist, and the claims of it."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/hosxp.sqlite"
        build_hosxp(url, first_day=SAMPLE_DAY, days=1, visits_a_day=100, traps=False)
        with open_source(HisSettings(url=SecretStr(url))) as source:
            hcode = source.facility().hcode
            tables = source.read_day(SAMPLE_DAY, wanted(KINDS))
    return tables, make_claims(tables, kinds=KINDS, hcode=hcode, history=no_history()).claims


def no_history() -> pd.DataFrame:
    """That nobody was claimed for before."""
    return pd.DataFrame({name: [] for name in ("kind", "pid", "item", "vn", "service_date", "yields")})


def samples() -> Iterator[tuple[Path, str]]:
    """One payload of each kind."""
    _, claims = sample_day()
    for kind in KINDS:
        claim = next(c for c in claims if c.kind == kind)
        payload = json.dumps(json.loads(claim.payload), ensure_ascii=False, indent=2)
        yield SAMPLES / f"{kind}.json", payload + "\n"


def write_workbooks(folder: Path) -> list[Path]:
    """Write the sample workbooks into a folder: a template a service, and one that is filled in."""
    drop_downs = choices(read_codes(), SAMPLE_DAY)
    for name in layouts():
        write_template(folder / f"{name}.xlsx", [name], drop_downs, "th")
    write_template(folder / "filled.xlsx", list(layouts()), drop_downs, "th", _filled_in())
    return sorted(folder.glob("*.xlsx"))


def _filled_in() -> dict[SheetName, list[dict[str, Value]]]:
    """A dozen rows; two of them cannot be used as they are, in ways that happen to everybody once."""
    tables, claims = sample_day()
    rows: dict[SheetName, list[dict[str, Value]]] = {}
    for kind, most in (("dm", 3), ("ht", 2), ("epi", 3), ("dt", 2)):
        of_kind = {c.vn: (c.kind, c.vn, c.item) for c in claims if c.kind == kind}
        parts = list(of_kind.values())[:most]
        records = records_of(tables, parts, read_codes())
        for part in parts:
            rows.setdefault(SERVICES[part[0]], []).extend(map(in_buddhist_years, from_json(records[part])))
    patient, child = rows["dmht"][1], rows["epi"][1]
    patient["dob"] = f"{patient['dob']:%d/%m/%y}"
    child["cid"] = f"{float(str(child['cid'])):.5E}"
    return rows


def in_buddhist_years(row: dict[str, Value]) -> dict[str, Value]:
    """A row as most people type it; a 29 February stays as it is, for few Buddhist years have one."""
    days = {name: v for name, v in row.items() if isinstance(v, date) and (v.month, v.day) != (2, 29)}
    return row | {name: day.replace(year=day.year + 543) for name, day in days.items()}


def cells(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What stands in a workbook, sheet by sheet: files of the same cells differ, they hold the time of writing."""
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in load_workbook(path).worksheets}


def pages() -> Iterator[tuple[Path, str]]:
    """Each page's file, and what should stand in it."""
    yield from ((FOLDER / name, make()) for name, make in PAGES.items())
    yield from samples()


def main() -> None:
    """Write everything that is not current."""
    for page, text in pages():
        page.write_text(text, encoding="utf-8")
    with TemporaryDirectory() as folder:
        for made in write_workbooks(Path(folder)):
            kept = SAMPLES / made.name
            if not kept.is_file() or cells(kept) != cells(made):
                copyfile(made, kept)


if __name__ == "__main__":
    main()
