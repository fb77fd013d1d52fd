"""`moph-claim audit accept-restored`: a person accepts an audit that has gone back in time, and with it the gap.

What was sent in the gap is unknown. Open claims of services up to its end count as possibly accepted, and so does every
claim of these days that is registered later: MOPH Claim is asked about each before it is sent, and "claimed already" means
presumed accepted.
"""

from core.clock import BANGKOK, now
from core.messages import Message
from extract.hcode import resolve_hcode
from flows.settings.model import Settings
from load.database import audit_engine
from load.gaps import FLOW, Gap, last_moment
from load.high_water_mark import MarkFile, MarkKeeper
from load.ledger_writer import LedgerWriter
from load.runs import start_run
from load.transactions import transaction


def what_is_missing(settings: Settings) -> Message:
    """What the audit of one facility lacks, and what accepting it does: for a person to decide upon.

    Raises:
        MophClaimError: The audit cannot be used, or the HIS had to be asked for the facility's code and cannot be.
    """
    environment, hcode = settings.api.environment, resolve_hcode(settings.his, settings.facility.hcode)
    mark = MarkFile(settings.marks_folder(), environment, hcode)
    with audit_engine(settings.audit_url()) as engine, transaction(engine, reading=True) as connection:
        since = last_moment(connection, environment, hcode)
        fault = mark.fault_of(connection)
    found = fault or _NOTHING.fill(hcode=hcode)
    at = f"{since.astimezone(BANGKOK):%Y-%m-%d %H:%M}" if since else "–"
    follows = _WHAT_FOLLOWS.fill(since=at)
    return Message(f"{found.th}\n{follows.th}", f"{found.en}\n{follows.en}")


def accept_restored(settings: Settings) -> Message:
    """Accept the audit of one facility as it is, as a run of its own.

    Returns:
        What was done.

    Raises:
        FacilityBusy: A run is under way.
        MophClaimError: As `what_is_missing`, or the mark cannot be written.
    """
    environment, hcode = settings.api.environment, resolve_hcode(settings.his, settings.facility.hcode)
    with audit_engine(settings.audit_url(), patience_seconds=settings.audit.outage_seconds) as engine:
        with transaction(engine, reading=True) as connection:
            gap = Gap(last_moment(connection, environment, hcode), now())
        at_once = settings.audit.model_copy(update={"lock_wait_seconds": 0})
        with start_run(
            engine, at_once, environment=environment, hcode=hcode, flow=FLOW, parameters=gap.recorded()
        ) as run:
            writer = LedgerWriter(engine, run)
            recovered = writer.recover()
            presumed = writer.presume_sent(gap.until.astimezone(BANGKOK).date())
            run.counts |= {"recovered": recovered, "possibly_accepted": presumed}
            mark = MarkKeeper(engine, run, settings.marks_folder())
            mark.promise()
        # Only now: as long as the run is not in the audit, nothing is accepted.
        mark.end()
    return _ACCEPTED.fill(hcode=hcode, claims=presumed + recovered, until=f"{gap.until:%Y-%m-%d %H:%M}")


_NOTHING = Message(
    "ตามเครื่องหมายของเครื่องนี้ ฐานข้อมูลตรวจสอบของหน่วยบริการ {hcode} ไม่ขาดอะไร (เครื่องหมายที่ถูกกู้คืนมาพร้อมกันย่อมไม่ทราบ)",
    "By this machine's mark nothing is missing in the audit of facility {hcode} (a mark that was restored together with it "
    "cannot know).",
)
_WHAT_FOLLOWS = Message(
    "ฐานข้อมูลนี้ทราบเหตุการณ์ถึง {since} ถ้ายอมรับ รายการที่ยังไม่ปิดและรายการใหม่ที่มีวันรับบริการถึงวันนี้จะถือว่าอาจรับแล้ว ระบบจะถาม MOPH Claim ก่อนส่ง และถ้าแจ้งว่าเคยเบิกแล้วจะถือว่าน่าจะรับแล้ว",
    "This audit knows what happened up to {since}. If you accept it, open claims and new ones of services up to today count "
    'as possibly accepted: MOPH Claim is asked before each is sent, and "claimed already" means presumed accepted.',
)
_ACCEPTED = Message(
    "ยอมรับฐานข้อมูลตรวจสอบของหน่วยบริการ {hcode} แล้ว: ถือว่าอาจรับแล้ว {claims} รายการ และรายการใหม่ที่รับบริการก่อน {until} การทำงานถัดไปจะส่งตามปกติ",
    "The audit of facility {hcode} is accepted: {claims} open claims count as possibly accepted, and so do new ones of "
    "services before {until}. The next run sends again.",
)
