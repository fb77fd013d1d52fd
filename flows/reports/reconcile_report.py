"""What a reconciling run leaves a claims officer: what it settled, gave up, asked, and what is left. Nobody in it."""

from core.messages import Language, Message
from flows.reports.report import (
    BY_KIND,
    STATE_NAMES,
    WHY_NOT,
    Report,
    Stands,
    by_kind,
    left_line,
    look,
    make_report,
    next_steps,
    refused_list,
    sent_line,
    status_words,
)
from flows.runs.reconcile import Morning
from load.queries import days_in_hand, sent_by, transaction_statuses
from load.states import State

# Statuses that a report tells apart: which there are is not public.
MOST_STATUSES = 10


def report_morning(morning: Morning) -> Report:
    """The report of a reconciling run, over the days of all claims it had in hand or leaves to the next run or a person."""
    run, language = morning.run, morning.settings.language
    days = days_in_hand(morning.engine, run)
    stands = look(morning, *(days or (morning.wish.first, morning.wish.first)))
    summary = _planned(morning) if morning.wish.dry_run else _done(morning)
    presumed = stands.claims(State.PRESUMED_ACCEPTED)
    summary += [
        Message(
            f"น่าจะรับแล้ว รอเจ้าหน้าที่ตรวจ **{presumed}** รายการ", f"Presumed accepted, left for a person: **{presumed}**"
        ),
        left_line(stands),
    ]
    steps = next_steps(morning, stands)
    if trouble := morning.inquiry.trouble:
        steps.append(trouble)
    sections = [
        (BY_KIND, by_kind(stands, {}, language)),
        (WHY_NOT, refused_list(stands.refused, language)),
        (Message("สถานะธุรกรรม", "What became of transactions"), _statuses(morning, stands, language)),
    ]
    of_days = Message(f" {days[0]} ถึง {days[1]}", f", {days[0]} to {days[1]}") if days else Message("", "")
    title = Message(f"MOPH Claim {run.hcode}: ตรวจทาน{of_days.th}", f"MOPH Claim {run.hcode}: reconciled{of_days.en}")
    return make_report(morning, title, summary, steps, sections, stands.for_a_person)


def _planned(morning: Morning) -> list[Message]:
    would = morning.would_send
    n = sum(would.values())
    th = ", ".join(f"{STATE_NAMES[state].th} {some}" for state, some in would.items() if some)
    en = ", ".join(f"{STATE_NAMES[state].en} {some}" for state, some in would.items() if some)
    days = morning.settings.reconcile.held_days
    return [
        Message(
            f"ทดลอง ไม่ได้ส่งจริง: จะส่ง **{n}** รายการ" + (f" ({th})" if th else ""),
            f"Dry run: **{n}** claims would be sent" + (f" ({en})" if en else ""),
        ),
        Message(
            f"จะเลิกรอปิดสิทธิ **{morning.given_up}** รายการที่เกิน {days} วัน",
            f"Would be given up, after {days} days without a closing code: **{morning.given_up}**",
        ),
        Message(
            f"จะสอบถามสถานะ **{morning.would_ask}** ธุรกรรม",
            f"Transactions that would be asked about: **{morning.would_ask}**",
        ),
    ]


def _done(morning: Morning) -> list[Message]:
    inquiry, days = morning.inquiry, morning.settings.reconcile.held_days
    sent = sent_by(morning.engine, morning.run)

    def tried(before: State, *, still: tuple[State, ...] = ()) -> int:
        of_state = sent[(sent["before"] == before) & ~sent["state"].isin(still)]
        return int(of_state["claims"].sum())

    doubt, held = tried(State.IN_DOUBT), tried(State.HELD)
    resolved = tried(State.IN_DOUBT, still=(State.IN_DOUBT, State.SENDING))
    came = held - tried(State.HELD, still=(State.ACCEPTED, State.PRESUMED_ACCEPTED))
    lines = [
        sent_line(morning),
        Message(
            f"ไม่แน่ใจ: สอบถามแล้ว **{doubt}** รู้ผลแล้ว **{resolved}**",
            f"In doubt: **{doubt}** tried, **{resolved}** resolved",
        ),
        Message(f"รอปิดสิทธิ: ส่งใหม่ **{held}** รับแล้ว **{came}**", f"Held: **{held}** tried again, **{came}** accepted"),
        Message(
            f"เลิกรอปิดสิทธิ **{morning.given_up}** รายการที่เกิน {days} วัน",
            f"Given up, after {days} days without a closing code: **{morning.given_up}**",
        ),
        Message(
            f"สอบถามสถานะ **{inquiry.asked}** ธุรกรรม ได้คำตอบ **{inquiry.answered}**",
            f"Transactions asked about: **{inquiry.asked}**, answered **{inquiry.answered}**",
        ),
    ]
    if n := morning.recovered:
        lines.insert(
            1, Message(f"การทำงานที่หยุดกลางคันทิ้งไว้ **{n}** รายการ", f"Left in mid-sending by a run that died: **{n}**")
        )
    if n := inquiry.proved:
        lines.append(
            Message(f"น่าจะรับแล้ว ยืนยันด้วยสถานะ **{n}** รายการ", f"Presumed accepted, proved by their status: **{n}**")
        )
    return lines


def _statuses(morning: Morning, stands: Stands, language: Language) -> str:
    run = morning.run
    came = transaction_statuses(morning.engine, run.environment, first=stands.first, last=stands.last, hcode=run.hcode)
    lines = [f"- **{r.claims}** {status_words(r.status, r.status_th, language)}" for r in came.itertuples()]
    more = len(lines) - MOST_STATUSES
    if more > 0:
        rest = Message(f"และอีก {more} สถานะ ดูด้วย `moph-claim status`", f"{more} more: see `moph-claim status`")
        lines[MOST_STATUSES:] = [f"- {rest.say(language)}"]
    return "\n".join(lines)
