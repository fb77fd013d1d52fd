"""What a run leaves a claims officer: counts by kind and outcome, baht, reasons, next steps. Nothing personal in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import Formatter

import pandas as pd

from core.clock import now
from core.messages import Language, Message
from extract.workbook.faults import REASONS
from flows.runs.claim_run import Shift
from flows.runs.making import Making
from flows.runs.submit import Night
from load.outcomes import advice_for
from load.queries import claims_by_day, issue_counts, refusals, said_alike
from load.states import ACCEPTED_STATES, DUE, FOR_A_PERSON, State
from transform.claims import CLAIMED_BY_HIS
from transform.rule import Rule
from transform.rules import registry

KIND_NAMES = {
    "dm": Message("เบาหวาน (DM)", "Diabetes (DM)"),
    "ht": Message("ความดันโลหิตสูง (HT)", "Hypertension (HT)"),
    "epi": Message("วัคซีน EPI", "Vaccines (EPI)"),
    "dt": Message("วัคซีน dT", "dT booster"),
}
STATE_NAMES = {
    State.ACCEPTED: Message("รับแล้ว", "accepted"),
    State.PRESUMED_ACCEPTED: Message("น่าจะรับแล้ว", "presumed accepted"),
    State.HELD: Message("รอปิดสิทธิ", "held: no closing code"),
    State.CORRECTABLE: Message("ต้องแก้ไข", "to correct"),
    State.FINAL: Message("ไม่รับ", "refused for good"),
    State.GIVEN_UP: Message("เลิกรอปิดสิทธิ", "given up: no closing code in time"),
    State.IN_DOUBT: Message("ไม่แน่ใจ จะสอบถามรอบถัดไป", "in doubt"),
    State.RETRY: Message("จะส่งใหม่", "goes again"),
    State.READY: Message("ยังไม่ได้ส่ง", "not sent yet"),
    State.SENDING: Message("กำลังส่ง", "sending"),
    State.WITHDRAWN: Message("ถอนแล้ว (ไม่มีใน HIS)", "withdrawn"),
}
NEXT_STEPS = {
    State.HELD: Message(
        "ปิดสิทธิ (EP) ของรายการที่รอ แล้วระบบจะส่งใหม่เองในคืนถัดไป",
        "Confirm the right (closing code) of the held visits; they go again by themselves.",
    ),
    State.CORRECTABLE: Message(
        "แก้ข้อมูลใน HIS ตามคำสั่ง `moph-claim issues` แล้วระบบจะส่งใหม่เอง",
        "Mend in the HIS what `moph-claim issues` lists; mended claims go again by themselves.",
    ),
    State.FINAL: Message(
        "รายการที่ไม่รับไม่ต้องส่งซ้ำ ดูเหตุผลด้วย `moph-claim issues`",
        "Claims refused for good are not sent again; `moph-claim issues` says why.",
    ),
    State.GIVEN_UP: Message(
        'รายการที่เลิกรอ ถ้าปิดสิทธิแล้วให้สั่ง `moph-claim run --send "only failed"` ของวันนั้น ดูรายตัวด้วย `moph-claim issues`',
        'Given up claims are not sent by themselves: once the right is confirmed, `moph-claim run --send "only failed"` for '
        "their day sends them; `moph-claim issues` lists them.",
    ),
    State.PRESUMED_ACCEPTED: Message(
        "ตรวจรายการที่น่าจะรับแล้วกับหน้าเว็บ MOPH Claim แล้วบันทึกผลด้วย `moph-claim settle`",
        "Look up the presumed ones on MOPH Claim's own pages, and say what you found with `moph-claim settle`.",
    ),
    State.IN_DOUBT: Message("ไม่ต้องทำอะไร รอบถัดไปจะสอบถามเอง", "Nothing to do: the next run asks about those in doubt."),
    State.RETRY: Message("ไม่ต้องทำอะไร รอบถัดไปจะส่งใหม่เอง", "Nothing to do: the next run sends those again."),
    State.READY: Message("รายการที่ยังไม่ได้ส่งจะส่งในรอบถัดไป", "Claims not sent yet go in the next run."),
}
# Why a claim stands there, where the server's last words do not say it.
WHY = {
    State.PRESUMED_ACCEPTED: Message(
        "ส่งครั้งแรกไม่ได้คำตอบ ส่งอีกครั้งระบบแจ้งว่าเคยเบิกแล้ว จึงน่าจะรับแล้ว → ตรวจกับหน้าเว็บ MOPH Claim แล้วบันทึกผลด้วย `moph-claim settle`",
        "The first sending got no answer, the second was refused as claimed already, so it was probably accepted. → Look it "
        "up on MOPH Claim's own pages, and say what you found with `moph-claim settle`.",
    ),
    State.GIVEN_UP: Message(
        'ไม่มีการปิดสิทธิภายในจำนวนวันที่ตั้งไว้ จึงไม่ส่งเองอีก → ถ้าปิดสิทธิแล้วให้สั่ง `moph-claim run --send "only failed"` ของวันนั้น หรือ `moph-claim settle VN --as again`',
        "No closing code came within the days that are set, so it is not sent by itself any more. → Once the right is "
        'confirmed, `moph-claim run --send "only failed"` for its day sends it, or `moph-claim settle VN --as again`.',
    ),
}
MEND_HERE = Message("กรุณาแก้แล้วนำเข้าใหม่", "Mend it and import it again.")
BY_KIND = Message("ตามประเภทและผล", "By kind and outcome")
MOST_CODES = 20
WHY_NOT = Message("เหตุที่ยังไม่ได้รับ", "Why claims were not accepted")


@dataclass(frozen=True, slots=True)
class Report:
    """A report, in one language.

    Args:
        title: One line.
        run_id: The run it is about.
        body: Markdown without the title.
        for_a_person: Records and claims a person should look at.
    """

    title: str
    run_id: str
    body: str
    for_a_person: int

    def markdown(self) -> str:
        """The whole report."""
        return f"# {self.title}\n\n{self.body}\n"

    def save(self, folder: Path) -> Path:
        """Write it to the reports folder; the file's name begins with the day."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{now():%Y-%m-%d-%H%M}-{self.run_id[:8]}.md"
        path.write_text(self.markdown(), encoding="utf-8")
        return path.absolute()


def report_night(night: Night) -> Report:
    """The report of a nightly run, from what stands in the audit for its days and kinds."""
    wish, run, run_counts, language = night.wish, night.run, night.run_counts, night.settings.language
    stands = look(night, wish.first, wish.last)
    of = (night.engine, run.environment, run.hcode, wish.first, wish.last, wish.kinds)
    issues = issue_counts(*of)
    of_codes = {code for code, rule in registry().items() if rule.of_code}
    codes = said_alike(*of, of_codes)
    to_mend = [code for code, rule in registry().items() if rule.severity == "error" and rule.calls_for_a_person]
    errors = int(issues.loc[issues["rule"].isin(to_mend), "records"].sum())
    summary = [
        Message(
            f"ทดลอง ไม่ได้ส่งจริง: จะส่ง **{run_counts.would_send}** รายการ",
            f"Dry run: **{run_counts.would_send}** claims would be sent",
        )
        if wish.dry_run
        else sent_line(night),
        expected_line(night, stands),
        left_line(stands),
    ]
    if n := run_counts.besides[CLAIMED_BY_HIS]:
        summary.append(Message(f"HIS เบิกไปเองแล้ว **{n}** รายการ", f"Claimed by the HIS itself: **{n}**"))
    steps = next_steps(night, stands)
    if errors:
        steps.append(
            Message(
                f"มี {errors} รายการในข้อมูลที่ยังเบิกไม่ได้ ดูรายตัวด้วย `moph-claim issues` แล้วแก้ใน HIS",
                f"{errors} records cannot be claimed as they are: `moph-claim issues` lists them; mend them in the HIS.",
            )
        )
    sections = [
        (BY_KIND, by_kind(stands, run_counts.planned, language)),
        (WHY_NOT, refused_list(stands.refused, language)),
        (Message("รหัสของ HIS ที่ยังไม่รู้จัก", "Codes of the HIS that nobody knows"), codes_to_map(codes, language)),
        (
            Message("ข้อมูลที่ต้องดู", "Records to look at"),
            records_to_look_at(issues[~issues["rule"].isin(of_codes)], language),
        ),
    ]
    title = Message(
        f"MOPH Claim {run.hcode}: {wish.first} ถึง {wish.last}", f"MOPH Claim {run.hcode}: {wish.first} to {wish.last}"
    )
    return make_report(night, title, summary, steps, sections, errors + stands.for_a_person)


@dataclass(frozen=True, slots=True)
class Stands:
    """What stands in the audit for some days and kinds: counts and baht by day, kind and state, and why claims wait."""

    first: date
    last: date
    ledger: pd.DataFrame
    refused: pd.DataFrame

    def claims(self, *states: State) -> int:
        """Claims in these states."""
        return int(self.ledger.loc[self.ledger["state"].isin(states), "claims"].sum())

    def baht(self, *states: State) -> int:
        """Their baht."""
        return int(self.ledger.loc[self.ledger["state"].isin(states), "baht"].sum())

    @property
    def for_a_person(self) -> int:
        """Claims that a person should look at."""
        return self.claims(*FOR_A_PERSON)


def look(shift: Shift, first: date, last: date) -> Stands:
    """What stands in the audit for these days and the run's kinds."""
    run, kinds = shift.run, shift.wish.kinds
    ledger = claims_by_day(shift.engine, run.environment, first=first, last=last, hcode=run.hcode)
    refused = refusals(shift.engine, run.environment, run.hcode, first, last, kinds)
    return Stands(first, last, ledger[ledger["kind"].isin(kinds)], refused)


def make_report(
    shift: Shift,
    title: Message,
    summary: Sequence[Message],
    steps: Sequence[Message],
    sections: Sequence[tuple[Message, str]],
    for_a_person: int,
) -> Report:
    """Lay out a report: the summary, what to do next, then sections, each a heading and its text; empty ones are left out."""
    language, run = shift.settings.language, shift.run
    where = Message(
        f"สภาพแวดล้อม **{run.environment}** run `{run.id}`", f"Environment **{run.environment}**, run `{run.id}`"
    )
    to_do = Message("ต้องทำอะไรต่อ", "Next steps")
    body = [_bullets([where, *summary], language)]
    for heading, text in [(to_do, _bullets(steps or [Message("ไม่มี", "None.")], language)), *sections]:
        body += [f"## {heading.say(language)}", text] if text else []
    return Report(title.say(language), run.id, "\n\n".join(body), for_a_person)


def next_steps(shift: Shift, stands: Stands) -> list[Message]:
    """What a person should do, the reason of a stop first."""
    # What goes by itself goes only once the reason of a stop is out of the way.
    waits = (State.IN_DOUBT, State.RETRY, State.READY) if shift.failure else ()
    steps = [m for state, m in NEXT_STEPS.items() if stands.claims(state) and state not in waits]
    return [shift.failure.message, *steps] if shift.failure else steps


def sent_line(shift: Shift) -> Message:
    """How many claims the run sent."""
    claims = shift.sent.total()
    return Message(f"ส่งในรอบนี้ **{claims}** รายการ", f"Sent in this run: **{claims}** claims")


def left_line(stands: Stands) -> Message:
    """What the next run sends by itself."""
    claims, baht = stands.claims(*DUE), stands.baht(*DUE)
    return Message(
        f"เหลือไว้ให้รอบถัดไป **{claims}** รายการ ({baht:,} บาท)",
        f"Left for the next run: **{claims}** claims ({baht:,} baht)",
    )


def expected_line(night: Making, stands: Stands) -> Message:
    """Baht of what was taken; of a dry run, of what would go as well."""
    baht = sum(baht for _, baht in night.run_counts.planned.values())
    if night.wish.send != "everything again":  # what was taken would be among that
        baht += stands.baht(*ACCEPTED_STATES)
    return Message(f"ยอดที่คาดว่าจะได้รับ **{baht:,}** บาท", f"Expected: **{baht:,}** baht")


def by_kind(stands: Stands, planned: dict[str, tuple[int, int]], language: Language) -> str:
    """A table of claims and baht by kind and outcome; `planned` is what a dry run would send, by kind."""
    rows = []
    for kind, name in KIND_NAMES.items():
        if kind in planned:
            claims, baht_planned = planned[kind]
            would = Message("จะส่ง (ทดลอง)", "would be sent").say(language)
            rows.append([name.say(language), would, str(claims), f"{baht_planned:,}"])
        of_kind = stands.ledger[stands.ledger["kind"] == kind]
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
    return _table(heads, rows, language)


def status_words(status: object, status_th: object, language: Language) -> str:
    """A transaction's status for people: MOPH Claim's own words, in the language where it gives them."""
    words = (status_th or status) if language == "th" else (status or status_th)
    return str(words) if words else Message("ยังไม่ทราบสถานะ", "not known yet").say(language)


def refused_list(refused: pd.DataFrame, language: Language, *, of_workbook: bool = False) -> str:
    """Why claims were not accepted, and what to do where they are."""
    lines = []
    for r in refused.to_dict("records"):
        state = STATE_NAMES[State(str(r["state"]))].say(language)
        advice = advice_for(str(r["meaning_en"]))
        if advice and of_workbook:
            advice = here_not_in_his(advice)
        todo = f" → {advice.say(language)}" if advice else ""
        why = f"{r[f'meaning_{language}'] or ''}{todo}"
        if r["state"] in WHY:
            why = WHY[State(str(r["state"]))].say(language)
        lines.append(f"- **{r['claims']}** {state}: {why}")
    return "\n".join(lines)


def reason_of(
    state: State, meaning_th: object, meaning_en: object, said: object, *, in_workbook: bool = False
) -> Message:
    """Why a claim stands where it does, with the server's own words, and what to do.

    Args:
        state: Where it stands.
        meaning_th: What its last answer means, as the ledger keeps it; None or a float where there was none.
        meaning_en: The same in English.
        said: The server's words.
        in_workbook: It is mended in a workbook, not in the HIS.
    """
    # Where the server said nothing, the database's NULL comes as a float.
    quoted = f" “{said}”" if isinstance(said, str) and said else ""
    if state in WHY:
        return Message(WHY[state].th + quoted, WHY[state].en + quoted)
    advice = advice_for(meaning_en) if isinstance(meaning_en, str) else None
    if advice and in_workbook:
        advice = here_not_in_his(advice)

    def reason(meaning: object, to_do: str) -> str:
        known = meaning if isinstance(meaning, str) else ""
        return " ".join(filter(None, [f"{known}{quoted}".strip(), to_do]))

    return Message(reason(meaning_th, advice.th if advice else ""), reason(meaning_en, advice.en if advice else ""))


def records_to_look_at(issues: pd.DataFrame, language: Language, *, of_workbook: bool = False) -> str:
    """How many records met which rule (columns rule, severity, kind, records), and what to do where they are."""
    if issues.empty:
        return ""
    # A list, not a table: a page breaks its lines, and cuts a table off on the right.
    severity = {"error": Message("เบิกไม่ได้", "not claimed"), "warning": Message("ควรดู", "warning")}
    lines = []
    issues = issues.assign(of_rule=issues.groupby(["severity", "rule"])["records"].transform("sum"))
    issues = issues.sort_values(["severity", "of_rule", "rule"], ascending=[True, False, True])
    for (level, code), some in issues.groupby(["severity", "rule"], sort=False):
        what = _what(str(code), of_workbook=of_workbook).say(language)
        kinds = ", ".join(some["kind"])
        lines.append(f"- **{some['records'].sum()}** {severity[str(level)].say(language)} ({kinds}): {what}")
    return "\n".join(lines)


def codes_to_map(codes: pd.DataFrame, language: Language) -> str:
    """Local codes that stand for nothing known, each once with its records (columns message_th, message_en, records)."""
    lines = [f"- **{r['records']}** {r[f'message_{language}']}" for r in codes.to_dict("records")]
    if (more := len(lines) - MOST_CODES) > 0:
        listed = Message(f"- และอีก {more} รหัส", f"- and {more} more codes")
        lines[MOST_CODES:] = [listed.say(language)]
    return "\n".join(lines)


def here_not_in_his(advice: Message) -> Message:
    """What to do about something in a workbook: what is advised for the HIS is done in the workbook."""
    return MEND_HERE if "HIS" in advice.en else advice


def advice_here(rule: Rule) -> Message:
    """What a rule advises whoever has the record in a workbook."""
    return rule.in_workbook or here_not_in_his(rule.advice)


def _what(code: str, *, of_workbook: bool) -> Message:
    """What a rule finds, or what is wrong with a workbook's cell, and what to do."""
    if rule := registry().get(code):
        wrong, advice = _without_values(rule.message), advice_here(rule) if of_workbook else rule.advice
        return Message(f"{wrong.th} → {advice.th}", f"{wrong.en} → {advice.en}")
    return _without_values(REASONS[code]) if code in REASONS else Message(code, code)


def _without_values(message: Message) -> Message:
    """A rule's sentence without what one record would fill in: a report holds nothing of a record."""
    names = {name for text in (message.th, message.en) for _, name, _, _ in Formatter().parse(text) if name}
    return message.fill(**dict.fromkeys(names, "…"))


def _bullets(lines: Sequence[Message], language: Language) -> str:
    return "\n".join(f"- {m.say(language)}" for m in lines)


def _table(heads: Sequence[Message], rows: Sequence[Sequence[str]], language: Language) -> str:
    lines = ["| " + " | ".join(h.say(language) for h in heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)
