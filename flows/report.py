"""What a run leaves a claims officer: counts by kind and outcome, baht, reasons, next steps. Nothing personal in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import pandas as pd

from extract.clock import now
from extract.messages import Language, Message
from flows.night import Night
from load.outcomes import advice_for
from load.queries import claims_by_day, issue_counts, refusals
from load.states import State
from transform.claims import CLAIMED_BY_HIS
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
    State.PRESUMED_ACCEPTED: Message(
        "ตรวจรายการที่น่าจะรับแล้วกับหน้าเว็บ MOPH Claim",
        "Look up the presumed ones on MOPH Claim's own pages.",
    ),
    State.IN_DOUBT: Message("ไม่ต้องทำอะไร รอบถัดไปจะสอบถามเอง", "Nothing to do: the next run asks about those in doubt."),
    State.RETRY: Message("ไม่ต้องทำอะไร รอบถัดไปจะส่งใหม่เอง", "Nothing to do: the next run sends those again."),
    State.READY: Message("รายการที่ยังไม่ได้ส่งจะส่งในรอบถัดไป", "Claims not sent yet go in the next run."),
}
PRESUMED = Message(
    "ส่งครั้งแรกไม่ได้คำตอบ ส่งอีกครั้งระบบแจ้งว่าเคยเบิกแล้ว จึงน่าจะรับแล้ว → ตรวจกับหน้าเว็บ MOPH Claim",
    "The first sending got no answer, the second was refused as claimed already, so it was probably accepted. → Look it up "
    "on MOPH Claim's own pages.",
)
TAKEN = (State.ACCEPTED, State.PRESUMED_ACCEPTED)


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


def make_report(night: Night) -> Report:
    """The report of a run, from what stands in the audit for its days and kinds."""
    language, wish, run = night.settings.language, night.wish, night.run
    within = (night.engine, run.environment, run.hcode, wish.first, wish.last, wish.kinds)
    ledger = claims_by_day(night.engine, run.environment, first=wish.first, last=wish.last, hcode=run.hcode)
    ledger = ledger[ledger["kind"].isin(wish.kinds)]
    refused, issues = refusals(*within), issue_counts(*within)
    states = Counter({State(str(s)): int(n) for s, n in ledger.groupby("state")["claims"].sum().items()})
    # What goes by itself goes only once the reason of a stop is out of the way.
    waits = (State.IN_DOUBT, State.RETRY, State.READY) if night.failure else ()
    steps = [m for state, m in NEXT_STEPS.items() if states[state] and state not in waits]
    to_mend = [code for code, rule in registry().items() if rule.severity == "error" and rule.calls_for_a_person]
    errors = int(issues.loc[issues["rule"].isin(to_mend), "records"].sum())
    if errors:
        steps.append(
            Message(
                f"มี {errors} รายการในข้อมูลที่ยังเบิกไม่ได้ ดูรายตัวด้วย `moph-claim issues` แล้วแก้ใน HIS",
                f"{errors} records cannot be claimed as they are: `moph-claim issues` lists them; mend them in the HIS.",
            )
        )
    if night.failure:
        steps.insert(0, night.failure.message)
    steps = steps or [Message("ไม่มี", "None.")]
    body = [
        _summary(night, _expected(night, ledger), language),
        _heading(Message("ต้องทำอะไรต่อ", "Next steps"), language),
        "\n".join(f"- {m.say(language)}" for m in steps),
        _heading(Message("ตามประเภทและผล", "By kind and outcome"), language),
        _by_kind(night, ledger, language),
    ]
    if len(refused):
        body += [
            _heading(Message("เหตุที่ยังไม่ได้รับ", "Why claims were not accepted"), language),
            _refused(refused, language),
        ]
    if len(issues):
        body += [_heading(Message("ข้อมูลที่ต้องดู", "Records to look at"), language), _issues(issues, language)]
    attention = errors + sum(states[s] for s in (State.CORRECTABLE, State.FINAL, State.HELD, State.PRESUMED_ACCEPTED))
    title = Message(
        f"MOPH Claim {run.hcode}: {wish.first} ถึง {wish.last}", f"MOPH Claim {run.hcode}: {wish.first} to {wish.last}"
    )
    return Report(title.say(language), run.id, "\n\n".join(body), attention)


def _summary(night: Night, baht: int, language: Language) -> str:
    tally, run = night.tally, night.run
    sent = night.sent.total()
    lines = [
        Message(
            f"สภาพแวดล้อม **{run.environment}** run `{run.id}`", f"Environment **{run.environment}**, run `{run.id}`"
        ),
        Message(
            f"ทดลอง ไม่ได้ส่งจริง: จะส่ง **{tally.would_send}** รายการ",
            f"Dry run: **{tally.would_send}** claims would be sent",
        )
        if night.wish.dry_run
        else Message(f"ส่งในรอบนี้ **{sent}** รายการ", f"Sent in this run: **{sent}** claims"),
        Message(f"ยอดที่คาดว่าจะได้รับ **{baht:,}** บาท", f"Expected: **{baht:,}** baht"),
    ]
    if tally.besides[CLAIMED_BY_HIS]:
        n = tally.besides[CLAIMED_BY_HIS]
        lines.append(Message(f"HIS เบิกไปเองแล้ว **{n}** รายการ", f"Claimed by the HIS itself: **{n}**"))
    return "\n".join(f"- {m.say(language)}" for m in lines)


def _expected(night: Night, ledger: pd.DataFrame) -> int:
    """Baht of what was taken; of a dry run, of what would go as well."""
    planned = sum(baht for _, baht in night.tally.planned.values())
    if night.wish.send == "everything again":
        return planned  # what was taken is among it
    return planned + int(ledger.loc[ledger["state"].isin(TAKEN), "baht"].sum())


def _by_kind(night: Night, ledger: pd.DataFrame, language: Language) -> str:
    rows = []
    for kind, name in KIND_NAMES.items():
        if kind in night.tally.planned:
            claims, baht_planned = night.tally.planned[kind]
            planned = Message("จะส่ง (ทดลอง)", "would be sent").say(language)
            rows.append([name.say(language), planned, str(claims), f"{baht_planned:,}"])
        of_kind = ledger[ledger["kind"] == kind]
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


def _refused(refused: pd.DataFrame, language: Language) -> str:
    lines = []
    for r in refused.to_dict("records"):
        state = STATE_NAMES[State(str(r["state"]))].say(language)
        advice = advice_for(str(r["meaning_en"]))
        todo = f" → {advice.say(language)}" if advice else ""
        why = f"{r[f'meaning_{language}'] or ''}{todo}"
        if r["state"] == State.PRESUMED_ACCEPTED:
            why = PRESUMED.say(language)
        lines.append(f"- **{r['claims']}** {state}: {why}")
    return "\n".join(lines)


def _issues(issues: pd.DataFrame, language: Language) -> str:
    # A list, not a table: a page breaks its lines, and cuts a table off on the right.
    rules = registry()
    severity = {"error": Message("เบิกไม่ได้", "not claimed"), "warning": Message("ควรดู", "warning")}
    lines = []
    issues["of_rule"] = issues.groupby(["severity", "rule"])["records"].transform("sum")
    issues = issues.sort_values(["severity", "of_rule", "rule"], ascending=[True, False, True])
    for (level, code), some in issues.groupby(["severity", "rule"], sort=False):
        rule = rules.get(str(code))
        what = f"{_without_values(rule.message).say(language)} → {rule.advice.say(language)}" if rule else str(code)
        kinds = ", ".join(some["kind"])
        lines.append(f"- **{some['records'].sum()}** {severity[str(level)].say(language)} ({kinds}): {what}")
    return "\n".join(lines)


def _without_values(message: Message) -> Message:
    """A rule's sentence without what one record would fill in: a report holds nothing of a record."""
    names = {name for text in (message.th, message.en) for _, name, _, _ in Formatter().parse(text) if name}
    return message.fill(**dict.fromkeys(names, "…"))


def _heading(text: Message, language: Language) -> str:
    return f"## {text.say(language)}"


def _table(heads: Sequence[Message], rows: Sequence[Sequence[str]], language: Language) -> str:
    lines = ["| " + " | ".join(h.say(language) for h in heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)
