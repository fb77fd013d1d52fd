"""The reasons for refusing a file, one sentence each.

`extract.workbook.file`, which knows the file's name, fills in {file} and, for the sheet of a .csv, {stem}.
"""

from collections.abc import Mapping

from core.messages import Message

NOT_THERE = Message(
    th="ไม่พบไฟล์ {file} กรุณาตรวจชื่อไฟล์และโฟลเดอร์",
    en="{file} is not there: check its name and its folder.",
)
NOT_A_FILE = Message(
    th="{file} เป็นโฟลเดอร์หรืออุปกรณ์ ไม่ใช่ไฟล์ กรุณาระบุไฟล์ที่จะอ่าน",
    en="{file} is a folder or a device, not a file: name the file to be read.",
)
NOT_OPENED = Message(
    th="เปิดไฟล์ {file} ไม่ได้ กรุณาปิดโปรแกรมที่เปิดไฟล์นี้ค้างอยู่ และตรวจสิทธิ์การอ่านไฟล์",
    en="{file} cannot be opened: close the program that has it open, and check that it may be read.",
)
EMPTY = Message(
    th="ไฟล์ {file} ว่างเปล่า (0 ไบต์) กรุณาบันทึกหรือคัดลอกมาใหม่",
    en="{file} is empty (0 bytes): save it or copy it again.",
)
TOO_LARGE = Message(
    th="ไฟล์ {file} ใหญ่กว่า {megabytes} MB กรุณาแบ่งเป็นหลายไฟล์ หรือเพิ่มค่า workbook.max_megabytes",
    en="{file} is larger than {megabytes} MB: split it, or raise the setting workbook.max_megabytes.",
)
BOMB = Message(
    th="ไฟล์ {file} เมื่อคลายการบีบอัดแล้วใหญ่กว่า {megabytes} MB จึงไม่อ่านเพื่อความปลอดภัย "
    "กรุณาคัดลอกเฉพาะตารางไปไว้ในไฟล์ใหม่ หรือเพิ่มค่า workbook.max_unpacked_megabytes",
    en="{file} unpacks to more than {megabytes} MB and is not read, for safety: copy its table alone into a new workbook, "
    "or raise the setting workbook.max_unpacked_megabytes.",
)
TOO_FAR = Message(
    th="แผ่นงาน “{sheet}” ในไฟล์ {file} มีข้อมูลถึงช่อง {cell} แต่อ่านได้ไม่เกิน {rows} แถว (รวมทุกแผ่นงาน) และ {columns} คอลัมน์ "
    "กรุณาลบสิ่งที่อยู่นอกตาราง หรือแบ่งเป็นหลายไฟล์",
    en="Sheet “{sheet}” of {file} reaches cell {cell}, and no more than {rows} rows (all sheets together) and {columns} columns "
    "are read: delete what lies outside the table, or split the file.",
)
TOO_WIDE = Message(
    th="แผ่นงาน “{sheet}” ในไฟล์ {file} กว้างถึงช่อง {cell} แต่อ่านได้ไม่เกิน {columns} คอลัมน์ กรุณาลบคอลัมน์ที่ไม่ใช้ "
    "หรือเพิ่มค่า workbook.max_columns",
    en="Sheet “{sheet}” of {file} reaches cell {cell} and is wider than the {columns} columns that are read: "
    "delete the columns that are not needed, or raise the setting workbook.max_columns.",
)
HOLDS = Message(
    th="ไฟล์ {file} มี{what} จึงไม่อ่านเพื่อความปลอดภัย กรุณาคัดลอกตารางแล้ววางเฉพาะค่าลงในไฟล์ .xlsx ใหม่",
    en="{file} holds {what} and is not read, for safety: copy the table and paste its values alone into a new .xlsx file.",
)
LOCKED = Message(
    th="ไฟล์ {file} ใส่รหัสผ่านไว้ จึงอ่านไม่ได้ กรุณาบันทึกใหม่โดยไม่ใส่รหัสผ่าน",
    en="{file} is locked with a password and cannot be read: save it without one.",
)
NOT_A_WORKBOOK = Message(
    th="ไฟล์ {file} มีเนื้อในเป็น{what} ไม่ใช่สมุดงาน กรุณาเลือกไฟล์ที่ถูกต้อง หรือเปิดในโปรแกรมตารางคำนวณแล้วบันทึกเป็น .xlsx",
    en="{file} is {what} inside, not a workbook: choose the right file, or open it in a spreadsheet program "
    "and save it as .xlsx.",
)
OTHER_FORM = Message(
    th="ไฟล์ {file} ไม่ใช่รูปแบบที่อ่านได้ กรุณาบันทึกเป็น .xlsx, .xls, .ods หรือ .csv",
    en="{file} is of a form that is not read: save it as .xlsx, .xls, .ods or .csv.",
)
OF_43_FILES = Message(
    th="ไฟล์ {file} เป็นแฟ้มข้อความของ 43 แฟ้ม คั่นด้วย | ไม่ใช่สมุดงาน และไม่มีข้อมูลครบสำหรับเคลม กรุณาใช้ตารางตามแบบฟอร์ม "
    "หรือให้โปรแกรมอ่านจาก HIS",
    en="{file} is a text file of the 43 files, separated by |, not a workbook, and lacks what a claim needs: use a table as in "
    "the template, or let the program read the HIS.",
)
PIPES = Message(
    th="ไฟล์ {file} คั่นคอลัมน์ด้วย | กรุณาบันทึกใหม่โดยคั่นด้วยจุลภาค (,) หรือบันทึกเป็น .xlsx",
    en="The columns of {file} are separated by |: save it with commas (,) between them, or as .xlsx.",
)
DAMAGED = Message(
    th="ไฟล์ {file} เสียหายหรือมาไม่ครบ กรุณาคัดลอกหรือดาวน์โหลดใหม่ หรือเปิดในโปรแกรมตารางคำนวณแล้วบันทึกใหม่",
    en="{file} is damaged or was cut off: copy or download it again, or open it in a spreadsheet program and save it anew.",
)
NOT_UNDERSTOOD = Message(
    th="อ่านไฟล์ {file} ไม่ได้ ({what}) ไฟล์อาจเสียหาย กรุณาเปิดในโปรแกรมตารางคำนวณแล้วบันทึกใหม่ หากยังอ่านไม่ได้กรุณาแจ้งผู้พัฒนา",
    en="{file} cannot be read ({what}) and may be damaged: open it in a spreadsheet program and save it anew; "
    "tell the developers if that does not help.",
)
TOO_LONG = Message(
    th="อ่านไฟล์ {file} ไม่เสร็จภายใน {seconds} วินาที จึงหยุดอ่าน กรุณาแบ่งเป็นหลายไฟล์ หรือเพิ่มค่า workbook.read_seconds",
    en="{file} could not be read within {seconds} seconds: split it, or raise the setting workbook.read_seconds.",
)
TOO_MUCH = Message(
    th="การอ่านไฟล์ {file} ใช้หน่วยความจำเกิน {megabytes} MB จึงหยุดอ่าน กรุณาแบ่งเป็นหลายไฟล์ หรือเพิ่มค่า workbook.read_megabytes",
    en="{file} takes more than {megabytes} MB of memory to read: split it, or raise the setting workbook.read_megabytes.",
)
UNKNOWN_LETTERS = Message(
    th="ไฟล์ {file} ไม่ได้เข้ารหัสเป็น UTF-8 หรือ TIS-620 กรุณาบันทึกใหม่เป็น “CSV UTF-8”",
    en="{file} is text in neither UTF-8 nor TIS-620: save it as “CSV UTF-8”.",
)
BAD_QUOTES = Message(
    th='ไฟล์ {file} ตั้งแต่บรรทัดที่ {line} มีเครื่องหมายคำพูด (") ไม่ครบคู่ กรุณาแก้ไข หรือบันทึกใหม่เป็น .xlsx',
    en='The quotation marks (") of {file} do not match from line {line} on: mend them, or save it as .xlsx.',
)

MACROS = Message("มาโคร", "macros")
LINK = Message("ลิงก์ไปยังไฟล์หรือแหล่งอื่น", "a link to another file or place")
CONNECTION = Message("การเชื่อมต่อข้อมูลภายนอก", "a connection to outside data")
EMBEDDED = Message("วัตถุที่ฝังอยู่", "an embedded object")
DECLARATION = Message("การประกาศ DOCTYPE หรือ ENTITY", "a DOCTYPE or ENTITY declaration")

WORD = Message("เอกสาร Word", "a text document")
SLIDES = Message("งานนำเสนอ", "a presentation")
PDF = Message(" PDF", "a PDF")
PICTURE = Message("รูปภาพ", "a picture")
WEB_PAGE = Message("หน้าเว็บ (HTML) หรือ XML", "a web page (HTML) or XML")
PLAIN_TEXT = Message("ข้อความธรรมดา", "plain text")


class FileRefused(Exception):
    """The file is refused.

    Args:
        sentence: The reason; used as it is if there is nothing to fill in.
        what: Fills {what} in each language.
        values: Fill the other placeholders, except {file} and {stem}.

    Attributes:
        message: The reason.
        discreet: The same for logs, without the name of a sheet.
    """

    def __init__(self, sentence: Message, what: Message | None = None, **values: object) -> None:
        self.message = self.discreet = sentence
        if what or values:
            what = what or Message("", "")
            self.message = _filled(sentence, what, values)
            self.discreet = _filled(sentence, what, {**values, "sheet": "…"})
        super().__init__(self.message)


def _filled(sentence: Message, what: Message, values: Mapping[str, object]) -> Message:
    th = sentence.th.format(file="{file}", what=what.th, **values)
    return Message(th, sentence.en.format(file="{file}", what=what.en, **values))
