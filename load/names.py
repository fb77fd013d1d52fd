"""Names of kinds and states for people."""

from core.messages import Message
from load.states import State

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
