"""Claims that the HIS no longer has as they were sent: accepted ones, and those that it has claimed itself. They are only listed."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

from core.messages import Message
from transform.claim import Claim, Issue, Kind
from transform.payload import CLOCK, DAY
from transform.rule import Rule
from transform.text import shown

SOURCE = "MOPH Claim knows no update and no cancellation"
ADVICE = Message(
    "ยอดที่จ่ายเป็นไปตามข้อมูลที่ส่งแล้ว ระบบจะไม่ส่งซ้ำ หากมีผลต่อการเบิก กรุณาแจ้ง MOPH Claim หรือเจ้าหน้าที่การเงิน หากแก้ผิด กรุณาแก้คืนใน HIS",
    "What is paid is what was sent, and nothing is sent again: if it matters, tell MOPH Claim or the finance officer; if "
    "it is a mistake, undo it in the HIS.",
)
CHANGED = Rule(
    "taken.changed",
    "warning",
    "visits.vn",
    Message(
        "ข้อมูลใน HIS เปลี่ยนหลังจาก MOPH Claim รับแล้ว: {field} จาก {before} เป็น {after}",
        "Changed in the HIS after MOPH Claim had taken it: {field}, from {before} to {after}.",
    ),
    ADVICE,
    SOURCE,
)
VANISHED = Rule(
    "taken.vanished",
    "warning",
    "visits.vn",
    Message(
        "MOPH Claim รับแล้ว แต่ไม่พบการรับบริการหรือรายการที่เบิกใน HIS หรือไม่เข้าเงื่อนไขแล้ว",
        "MOPH Claim has taken it, but the visit, or what was claimed of it, is no longer in the HIS as a claim.",
    ),
    ADVICE,
    SOURCE,
)
ALSO_CLAIMED = Rule(
    "taken.also_claimed",
    "warning",
    "visits.his_claim_uid",
    Message(
        "MOPH Claim รับแล้ว แต่ HIS ก็ส่งเบิกเองด้วย (เลขธุรกรรม {uid})",
        "MOPH Claim has taken it, and the HIS has claimed it itself as well (transaction {uid}).",
    ),
    Message(
        "กรุณาตรวจกับหน้าเว็บ MOPH Claim ว่าเบิกซ้ำหรือไม่ และให้ส่งจากโปรแกรมเดียวเท่านั้น",
        "Look up on MOPH Claim's own pages whether it was claimed twice, and let one program alone send.",
    ),
    SOURCE,
)
HIS_WENT_FIRST = Rule(
    "claim.his_went_first",
    "warning",
    "visits.his_claim_uid",
    Message(
        "HIS ส่งเบิกรายการนี้เองแล้ว (เลขธุรกรรม {uid}) จึงไม่ส่งของเรา",
        "The HIS has claimed it itself (transaction {uid}), so ours is not sent.",
    ),
    Message("ไม่ต้องดำเนินการ", "Nothing needs to be done."),
    SOURCE,
)
HIS_WENT_TOO = Rule(
    "claim.his_went_too",
    "warning",
    "visits.his_claim_uid",
    Message(
        "HIS ส่งเบิกรายการนี้เองแล้ว (เลขธุรกรรม {uid}) ส่วนของเราส่งไปแล้วแต่ยังไม่ทราบผล จึงสอบถามอย่างเดียว ไม่ส่งซ้ำ",
        "The HIS has claimed it itself (transaction {uid}); ours was sent and its outcome is not known, so it is only asked about.",
    ),
    Message(
        "หากยังไม่ทราบผลในรอบถัดไป กรุณาตรวจกับหน้าเว็บ MOPH Claim ว่าเบิกซ้ำหรือไม่ แล้วบันทึกด้วย moph-claim settle",
        "If it is not known after the next run, look up on MOPH Claim's own pages whether it was claimed twice, and say what you "
        "found with moph-claim settle.",
    ),
    SOURCE,
)
OF_ACCEPTED = (CHANGED, VANISHED, ALSO_CLAIMED)
RULES = (*OF_ACCEPTED, HIS_WENT_FIRST, HIS_WENT_TOO)
CODES = tuple(rule.code for rule in OF_ACCEPTED)
"""The rules about claims that were accepted."""

NOTHING = "–"
MOMENT = re.compile(f"{DAY}( {CLOCK})?")
# Messages may be printed, so identifying numbers are cut to their end and names to their first letter.
NUMBERS = frozenset({"pid", "hn", "vaccine.license_no"})
NAMES = frozenset({"fname", "lname", "vaccine.name"})


@dataclass(frozen=True, slots=True)
class AcceptedClaim:
    """An accepted claim, and the claim as the HIS has it now.

    Args:
        hcode: The facility, 5 digits.
        kind: dm, ht, epi or dt.
        vn: The visit number.
        item: The vaccine code; empty for dm and ht.
        hn: The patient's current number, or the one sent if the HIS no longer has the claim.
        sent: The payload that was sent; empty if the HIS no longer has the claim. Never shown by `repr`.
        now: The claim as the HIS has it now; None if it no longer has it.
    """

    hcode: str
    kind: Kind
    vn: str
    item: str
    hn: str = field(repr=False)
    sent: bytes = field(repr=False)
    now: Claim | None


def after_acceptance(accepted: Iterable[AcceptedClaim], day: date) -> Iterator[Issue]:
    """Compare accepted claims with the HIS: one issue for each field that differs, or one for a claim that is gone.

    Args:
        accepted: The accepted claims.
        day: The service day that was read.
    """
    vanished = VANISHED.sentence()
    for claim in accepted:
        if claim.now is None:
            yield _issue(claim, day, VANISHED, VANISHED.column, vanished)
            continue
        for path, before, after in differences(json.loads(claim.sent), json.loads(claim.now.payload)):
            yield _issue(claim, day, CHANGED, path, CHANGED.sentence(field=path, before=before, after=after))


def also_claimed(key: tuple[str, str, str, str], hn: str, day: date, uid: str) -> Issue:
    """The issue of an accepted claim that the HIS has claimed as well.

    Args:
        key: hcode, kind, vn and item.
        hn: The patient's number.
        day: The service day.
        uid: The HIS's transaction number.
    """
    return _of_his(ALSO_CLAIMED, key, hn, day, uid)


def claimed_by_his(key: tuple[str, str, str, str], hn: str, day: date, uid: str) -> Issue:
    """The issue of a claim that was not accepted and that the HIS has claimed itself; the arguments as `also_claimed`."""
    return _of_his(HIS_WENT_FIRST, key, hn, day, uid)


def in_doubt_and_claimed_by_his(key: tuple[str, str, str, str], hn: str, day: date, uid: str) -> Issue:
    """The issue of a claim that may have been accepted and that the HIS has claimed itself; the arguments as `also_claimed`."""
    return _of_his(HIS_WENT_TOO, key, hn, day, uid)


def _of_his(rule: Rule, key: tuple[str, str, str, str], hn: str, day: date, uid: str) -> Issue:
    hcode, kind, vn, item = key
    sentence = rule.sentence(uid=shown(uid))
    return Issue(hcode, cast(Kind, kind), vn, hn, item, day, rule.code, rule.severity, sentence, rule.column)


def _issue(claim: AcceptedClaim, day: date, rule: Rule, column: str, sentence: Message) -> Issue:
    return Issue(
        claim.hcode, claim.kind, claim.vn, claim.hn, claim.item, day, rule.code, rule.severity, sentence, column
    )


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """The fields in which two payloads differ: path (such as diagnosis[0].icd10), before, after, masked for printing.

    For lists of different length: the removed elements, and the added ones.
    """
    if before == after or not (before or after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before | after:
            yield from differences(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) == len(after):
            for n, pair in enumerate(zip(before, after, strict=True)):
                yield from differences(*pair, f"{path}[{n}]")
        else:
            yield path, _printed(_without(before, after), path), _printed(_without(after, before), path)
    else:
        yield path, _printed(before, path), _printed(after, path)


def _without(some: list[Any], others: list[Any]) -> list[Any]:
    rest = list(some)
    for other in others:
        if other in rest:
            rest.remove(other)
    return rest


def _printed(value: Any, path: str) -> str:
    text = _text(value, re.sub(r"\[\d+\]", "", path))
    return f"“{text}”" if text else NOTHING


def _text(value: Any, name: str) -> str:
    if isinstance(value, dict):
        return " ".join(filter(None, (_text(item, f"{name}.{key}") for key, item in value.items())))
    if isinstance(value, list):
        return ", ".join(_text(item, name) for item in value)
    text = "" if value is None else str(value)
    if not text or MOMENT.fullmatch(text):
        return text
    if name in NAMES:
        return f"{text[0]}…"
    # Where `shown` would hide a long number, its end is shown, so that a lot number can be recognised.
    return f"…{text[-3:]}" if name in NUMBERS or shown(text) != text else text
