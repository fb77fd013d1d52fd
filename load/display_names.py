"""Names for people: of kinds, states, and causes of a change of state."""

from core.messages import Message
from load.states import Cause, State

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
SEVERITY_NAMES = {"error": Message("เบิกไม่ได้", "not claimed"), "warning": Message("ควรดู", "warning")}
CAUSE_NAMES = {
    Cause.FOUND: Message("พบใน HIS หรือไฟล์ Excel", "the HIS or a workbook, and the rules, give it"),
    Cause.CHANGED: Message("ข้อมูลใน HIS หรือไฟล์ Excel เปลี่ยน", "its data has changed in the HIS or a workbook"),
    Cause.GONE: Message("ไม่มีใน HIS แล้ว", "the HIS or the rules no longer give it"),
    Cause.INTENT: Message("กำลังจะส่ง", "a run is about to send it"),
    Cause.UNSENT: Message("หยุดก่อนส่ง", "the run stopped before its first byte went out"),
    Cause.ANSWERED: Message("ได้คำตอบหรือหมดเวลารอ", "it was answered, or no answer came"),
    Cause.NOT_TAKEN: Message("สอบถามแล้ว ยังไม่ได้รับ", "it was asked about, and not accepted as it was sent"),
    Cause.RUN_DIED: Message("การทำงานหยุดกลางคัน", "the run that was sending it died"),
    Cause.STATUS: Message("สถานะธุรกรรมยืนยัน", "its transaction's status proves it"),
    Cause.WINDOW_OVER: Message("พ้นกำหนดรอปิดสิทธิ", "no closing code came within the window"),
    Cause.PERSON: Message("เจ้าหน้าที่ตัดสิน", "a person says so"),
}
