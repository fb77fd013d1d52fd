"""The sections that reports share: counts, reasons, lists. Nothing personal in them."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from core.errors import MophClaimError
from core.messages import Language, Message
from core.text import escape_markdown
from flows.reports.reasons import CLAIMS_IN_VAIN, NEXT_STEPS, STATE_REASONS, advice_for_workbook, describe_rule
from flows.reports.report import Section, Table, quoted
from flows.runs.claim_run import ClaimRun
from flows.runs.days import DayRegistrar
from load.display_names import KIND_NAMES, SEVERITY_NAMES, STATE_NAMES
from load.failed_in_vain import failed_in_vain
from load.outcomes import advice_for
from load.queries import claims_by_day, refusals
from load.states import ACCEPTED_STATES, DUE, FOR_A_PERSON, UNANSWERED_STATES, State

BY_KIND = Message("ตามประเภทและผล", "By kind and outcome")
MOST_CODES = 20
WHY_NOT = Message("เหตุที่ยังไม่ได้รับ", "Why claims were not accepted")
TO_LOOK_AT = Message("ข้อมูลที่ต้องดู", "Records to look at")
UNKNOWN_CODES = Message("รหัสของ HIS และอัตราจ่ายที่ยังไม่รู้จัก", "Codes of the HIS and rates that nobody knows")


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """The claims of some days and kinds in the audit: counts and baht by day, kind and state, and why claims wait.

    `in_vain` counts the facility's claims that MOPH Claim failed on for `failed_nights` in a row while it answered others.
    """

    first: date
    last: date
    ledger: pd.DataFrame
    refused: pd.DataFrame
    in_vain: int = 0
    failed_nights: int = 0

    def claims(self, *states: State) -> int:
        """Claims in these states."""
        return int(self.ledger.loc[self.ledger["state"].isin(states), "claims"].sum())

    def baht(self, *states: State) -> int:
        """Their baht."""
        return int(self.ledger.loc[self.ledger["state"].isin(states), "baht"].sum())

    @property
    def for_a_person(self) -> int:
        """Claims that a person should look at."""
        return self.claims(*FOR_A_PERSON) + self.in_vain


def ledger_counts(run: ClaimRun, first: date, last: date) -> LedgerCounts:
    """The counts of these days and the run's kinds."""
    audit_run, kinds = run.audit_run, run.selection.kinds
    ledger = claims_by_day(run.engine, audit_run.environment, first=first, last=last, hcode=audit_run.hcode)
    refused = refusals(run.engine, audit_run.environment, audit_run.hcode, first, last, kinds)
    nights = run.settings.api.failed_nights
    # This run's counts are not in the audit yet.
    answered = [audit_run.id] if set(run.sent) - set(UNANSWERED_STATES) else []
    of_run = (run.engine, audit_run.environment, nights)
    in_vain = failed_in_vain(*of_run, hcode=audit_run.hcode, answered=answered)
    return LedgerCounts(first, last, ledger[ledger["kind"].isin(kinds)], refused, len(in_vain), nights)


def next_steps(run: ClaimRun, counts: LedgerCounts, failure: MophClaimError | None) -> list[Message]:
    """What a person should do; first, why the run stopped, and that others seem to send for the same facility."""
    # Claims that are sent again by themselves are sent only once the cause of the stop is mended.
    waits = (State.IN_DOUBT, State.RETRY, State.READY) if failure else ()
    steps = [m for state, m in NEXT_STEPS.items() if counts.claims(state) and state not in waits]
    if counts.in_vain:
        steps.append(CLAIMS_IN_VAIN.fill(claims=counts.in_vain, nights=counts.failed_nights))
    first = [quoted(failure.message)] if failure else []
    return [*first, *([run.looks_shared] if run.looks_shared else []), *steps]


def sent_line(run: ClaimRun) -> Message:
    """How many claims the run sent."""
    claims = run.sent.total()
    return Message(f"ส่งในรอบนี้ **{claims}** รายการ", f"Sent in this run: **{claims}** claims")


def asked_line(run: ClaimRun) -> list[Message]:
    """What was only asked about, or of a dry run would be, as its source says otherwise now; nothing where there was none."""
    if not run.sends:
        n = len(run.ledger.queue.to_ask(run.ledger.intake.otherwise))
        would_ask = Message(
            f"จะสอบถามก่อน เพราะข้อมูลต้นทางเปลี่ยนหลังส่ง **{n}** รายการ หาก MOPH Claim ยังไม่ได้รับ จะส่งตามข้อมูลปัจจุบัน หรือถอนออก",
            f"Would be asked about first, as the source has changed since they were sent: **{n}**; what MOPH Claim has not taken "
            "goes as it is now, or is withdrawn",
        )
        return [would_ask] if n else []
    n, unclear = run.asked.total(), run.asked[State.IN_DOUBT] + run.asked[State.PRESUMED_ACCEPTED]
    if not n:
        return []
    return [
        Message(
            f"สอบถามอย่างเดียว เพราะข้อมูลต้นทางเปลี่ยนหลังส่ง **{n}** รายการ ยังไม่ชัดเจน ต้องให้เจ้าหน้าที่ตรวจ **{unclear}**",
            f"Only asked about, as the source has changed since they were sent: **{n}**; left for a person: **{unclear}**",
        )
    ]


def left_line(counts: LedgerCounts) -> Message:
    """What the next run sends by itself."""
    claims, baht = counts.claims(*DUE), counts.baht(*DUE)
    return Message(
        f"เหลือไว้ให้รอบถัดไป **{claims}** รายการ ({baht:,} บาท)",
        f"Left for the next run: **{claims}** claims ({baht:,} baht)",
    )


def expected_line(registrar: DayRegistrar, counts: LedgerCounts) -> Message:
    """Baht of what was accepted; of a dry run, of what would be sent as well."""
    baht = sum(baht for _, baht in registrar.counts.planned.values())
    if not registrar.send_everything:  # what was accepted would be among that
        baht += counts.baht(*ACCEPTED_STATES)
    return Message(f"ยอดที่คาดว่าจะได้รับ **{baht:,}** บาท", f"Expected: **{baht:,}** baht")


def by_kind(counts: LedgerCounts, planned: dict[str, tuple[int, int]], language: Language) -> Section:
    """A table of claims and baht by kind and outcome; `planned` is what a dry run would send, by kind."""
    rows = []
    for kind, name in KIND_NAMES.items():
        if kind in planned:
            claims, baht_planned = planned[kind]
            would = Message("จะส่ง (ทดลอง)", "would be sent").say(language)
            rows.append([name.say(language), would, str(claims), f"{baht_planned:,}"])
        of_kind = counts.ledger[counts.ledger["kind"] == kind]
        for state in STATE_NAMES:
            some = of_kind[of_kind["state"] == state]
            if len(some):
                baht = f"{int(some['baht'].sum()):,}"
                rows.append([name.say(language), STATE_NAMES[state].say(language), str(some["claims"].sum()), baht])
    heads = [
        Message("ประเภท", "Kind"),
        Message("ผล", "Outcome"),
        Message("รายการ", "Claims"),
        Message("บาท", "Baht"),
    ]
    return Section(BY_KIND, Table(heads, rows))


def refusals_by_reason(refused: pd.DataFrame, language: Language, *, of_workbook: bool = False) -> Section:
    """Why claims were not accepted, and what to do where they are."""
    lines = []
    for r in refused.to_dict("records"):
        state = STATE_NAMES[State(str(r["state"]))].say(language)
        advice = advice_for(str(r["meaning_en"]))
        if advice and of_workbook:
            advice = advice_for_workbook(advice)
        todo = f" → {advice.say(language)}" if advice else ""
        why = f"{escape_markdown(r[f'meaning_{language}'] or '')}{todo}"
        if r["state"] in STATE_REASONS:
            why = STATE_REASONS[State(str(r["state"]))].say(language)
        lines.append(f"**{r['claims']}** {state}: {why}")
    return Section(WHY_NOT, lines)


def records_to_look_at(issues: pd.DataFrame, language: Language, *, of_workbook: bool = False) -> Section:
    """How many records met which rule (columns rule, severity, kind, records), and what to do where they are."""
    if issues.empty:
        return Section(TO_LOOK_AT, [])
    # A list, not a table: a page breaks its lines, and cuts a table off on the right.
    lines = []
    issues = issues.assign(of_rule=issues.groupby(["severity", "rule"])["records"].transform("sum"))
    issues = issues.sort_values(["severity", "of_rule", "rule"], ascending=[True, False, True])
    for (level, code), some in issues.groupby(["severity", "rule"], sort=False):
        what = describe_rule(str(code), of_workbook=of_workbook).say(language)
        kinds = ", ".join(some["kind"])
        lines.append(f"**{some['records'].sum()}** {SEVERITY_NAMES[str(level)].say(language)} ({kinds}): {what}")
    return Section(TO_LOOK_AT, lines)


def codes_to_map(codes: pd.DataFrame, language: Language) -> Section:
    """Local codes and rates that no map and no list knows, each once with its records (columns message_th, message_en, records)."""
    lines = [f"**{r['records']}** {escape_markdown(r[f'message_{language}'])}" for r in codes.to_dict("records")]
    if (more := len(lines) - MOST_CODES) > 0:
        lines[MOST_CODES:] = [Message(f"และอีก {more} รายการ", f"and {more} more").say(language)]
    return Section(UNKNOWN_CODES, lines)
