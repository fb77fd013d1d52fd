"""Why a claim or a record was not accepted, and what to do: sentences for people."""

from string import Formatter

from core.messages import Language, Message
from extract.workbook.faults import REASONS
from load.outcomes import advice_for
from load.states import State
from transform.rule import Rule
from transform.rules import registry

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
        "รายการที่ไม่รับไม่ต้องส่งซ้ำ ดูเหตุผลด้วย `moph-claim issues` ถ้าตรวจพบว่าไม่ตรงกับหน้าเว็บ MOPH Claim ให้บันทึกด้วย `moph-claim settle`",
        "Claims refused for good are not sent again; `moph-claim issues` says why. Where MOPH Claim's own pages say otherwise, "
        "say so with `moph-claim settle`.",
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
STATE_REASONS = {
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
_IF_ACCEPTED = Message(
    "ถ้าหน้าเว็บ MOPH Claim ระบุว่ารับแล้ว ให้บันทึกด้วย `moph-claim settle`",
    "If MOPH Claim's own pages say that it was accepted, say so with `moph-claim settle`.",
)
# Beside what the server said of a claim that it failed on night after night.
IN_VAIN = Message(
    "MOPH Claim ขัดข้องกับรายการนี้ {nights} คืนติดต่อกัน ทั้งที่ตอบรายการอื่น ระบบยังส่งต่อไปทุกคืนเป็นลำดับท้าย → ตรวจข้อมูลของรายการนี้ใน HIS และแจ้ง MOPH Claim",
    "MOPH Claim failed at this claim on {nights} nights in a row while it answered others; it is still sent every night, after "
    "all others. → Look at its record in the HIS, and report it to MOPH Claim.",
)
CLAIMS_IN_VAIN = Message(
    "MOPH Claim ขัดข้องกับ {claims} รายการเดิม {nights} คืนติดต่อกัน ทั้งที่ตอบรายการอื่น ดูรายตัวด้วย `moph-claim issues` แล้วตรวจข้อมูลและแจ้ง MOPH Claim",
    "MOPH Claim failed at the same {claims} claims on {nights} nights in a row while it answered others: `moph-claim issues` "
    "lists them; look at their records, and report them to MOPH Claim.",
)
MEND_IN_WORKBOOK = Message("กรุณาแก้แล้วนำเข้าใหม่", "Mend it and import it again.")


def reason_of(
    state: State,
    meaning_th: object,
    meaning_en: object,
    said: object,
    *,
    in_workbook: bool = False,
    nights_in_vain: int = 0,
) -> Message:
    """Why a claim is in its state, with the server's own words, and what to do.

    Args:
        state: Its state.
        meaning_th: What its last answer means, as the ledger has it; None or a float where there was none.
        meaning_en: The same in English.
        said: The server's words.
        in_workbook: It is mended in a workbook, not in the HIS.
        nights_in_vain: How many nights in a row the server failed at this claim at least; 0: not in a row.
    """
    # Where the server said nothing, the database's NULL comes as a float.
    quoted = f" “{said}”" if isinstance(said, str) and said else ""
    if state in STATE_REASONS:
        return Message(STATE_REASONS[state].th + quoted, STATE_REASONS[state].en + quoted)
    if nights_in_vain:
        reason = IN_VAIN.fill(nights=nights_in_vain)
        return Message(reason.th + quoted, reason.en + quoted)
    advice = advice_for(meaning_en) if isinstance(meaning_en, str) else None
    if advice and in_workbook:
        advice = advice_for_workbook(advice)

    if advice and state is State.FINAL:
        advice = Message(f"{advice.th} {_IF_ACCEPTED.th}", f"{advice.en} {_IF_ACCEPTED.en}")

    def told(meaning: object, to_do: str) -> str:
        known = meaning if isinstance(meaning, str) else ""
        return " ".join(filter(None, [f"{known}{quoted}".strip(), to_do]))

    return Message(told(meaning_th, advice.th if advice else ""), told(meaning_en, advice.en if advice else ""))


def advice_for_workbook(advice: Message) -> Message:
    """The same advice for a row of a workbook: what is to be done in the HIS is done in the workbook."""
    return MEND_IN_WORKBOOK if "HIS" in advice.en else advice


def rule_advice_for_workbook(rule: Rule) -> Message:
    """A rule's advice for a row of a workbook."""
    return rule.in_workbook or advice_for_workbook(rule.advice)


def describe_rule(code: str, *, of_workbook: bool) -> Message:
    """What a rule finds, or what is wrong with a workbook's cell, and what to do."""
    if rule := registry().get(code):
        wrong, advice = _without_values(rule.message), rule_advice_for_workbook(rule) if of_workbook else rule.advice
        return Message(f"{wrong.th} → {advice.th}", f"{wrong.en} → {advice.en}")
    return _without_values(REASONS[code]) if code in REASONS else Message(code, code)


def _without_values(message: Message) -> Message:
    """A rule's sentence without a record's values: a report holds nothing personal."""
    names = {name for text in (message.th, message.en) for _, name, _, _ in Formatter().parse(text) if name}
    return message.fill(**dict.fromkeys(names, "…"))


def status_words(status: object, status_th: object, language: Language) -> str:
    """A transaction's status for people: MOPH Claim's own words, in the language where it gives them."""
    words = (status_th or status) if language == "th" else (status or status_th)
    return str(words) if words else Message("ยังไม่ทราบสถานะ", "not known yet").say(language)
