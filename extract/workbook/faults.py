"""The reasons why a cell or a row cannot be used, as sentences in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.messages import Message
from extract.workbook.layout import Column
from extract.workbook.rows import Fault

REASONS: Mapping[str, Message] = {
    "cell.error": Message(
        "ช่องนี้แสดงข้อผิดพลาดของสูตร เช่น #N/A กรุณาพิมพ์ค่าแทนสูตร",
        "it shows a formula's error, such as #N/A; type the value in place of the formula.",
    ),
    "cell.uncalculated": Message(
        "สูตรในช่องนี้ยังไม่เคยถูกคำนวณ กรุณาเปิดไฟล์ด้วยโปรแกรมตารางคำนวณ กดบันทึก แล้วนำเข้าใหม่",
        "its formula was never calculated; open the file in the spreadsheet program, save it, and import it again.",
    ),
    "cell.true_false": Message(
        "ช่องนี้เป็น TRUE หรือ FALSE ซึ่งใช้ในคอลัมน์นี้ไม่ได้ กรุณาพิมพ์ค่าที่ถูกต้อง",
        "it holds TRUE or FALSE, which means nothing in this column; type the value itself.",
    ),
    "cell.turned_into_date": Message(
        "โปรแกรมตารางคำนวณเปลี่ยนค่าที่พิมพ์เป็นวันที่หรือเวลา กรุณาจัดรูปแบบช่องเป็นข้อความ (Text) แล้วพิมพ์ค่าใหม่",
        "the spreadsheet program has turned it into a date or time; format the cell as text and type the value again.",
    ),
    "cell.ditto": Message(
        "ช่องนี้บอกว่า “เหมือนข้างบน” แต่แถวที่ติดกันข้างบนไม่มีข้อมูล กรุณาพิมพ์ค่า",
        "it says “as above”, and the row right above holds no data; type the value.",
    ),
    "cell.unseen": Message(
        "ช่องนี้มีอักขระที่มองไม่เห็น ({code}) ซึ่งไม่ใช่ตัวหนังสือ กรุณาลบทั้งช่องแล้วพิมพ์ใหม่",
        "it holds a character that nobody sees ({code}) and that is no letter; clear the cell and type it anew.",
    ),
    "cell.empty": Message(
        "ช่องนี้ว่าง แต่ต้องมีค่า กรุณาพิมพ์ให้ครบ",
        "it is empty, and a value is needed; type it.",
    ),
    "cell.date_two_digit_year": Message(
        "“{shown}” มีปีเพียง 2 หลัก จึงไม่รู้ว่าเป็น พ.ศ. หรือ ค.ศ. กรุณาพิมพ์ปี 4 หลัก เช่น 1/10/2569",
        "“{shown}” has a year of two digits, Buddhist or CE; type all four, such as 1/10/2569.",
    ),
    "cell.date_number": Message(
        "ช่องนี้เป็นตัวเลขที่ไม่ได้จัดรูปแบบเป็นวันที่ กรุณาพิมพ์เป็นวัน/เดือน/ปี เช่น 1/10/2569",
        "it is a number that is not formatted as a date; type day/month/year, such as 1/10/2569.",
    ),
    "cell.date_month_first": Message(
        "“{shown}” ไม่มีเดือนที่ {month} ระบบอ่านเป็นวัน/เดือน/ปีเสมอ กรุณาพิมพ์วันที่ก่อนเดือน เช่น 25/10/2569",
        "“{shown}” has no month {month}: dates are read as day/month/year; type the day first, such as 25/10/2569.",
    ),
    "cell.date_order": Message(
        "ไม่รู้ว่า “{shown}” เขียนวันหรือเดือนก่อน เพราะช่อง {cell} ของแผ่นงานนี้เขียนเดือนก่อนวัน "
        "กรุณาเขียนวันที่ทั้งแผ่นงานเป็นวัน/เดือน/ปี หรือแก้ช่อง {cell} ถ้าช่องนั้นพิมพ์ผิด",
        "“{shown}” may have the day or the month first, for {cell} of this sheet has the month first; "
        "write all dates of the sheet as day/month/year, or mend {cell} if that one is mistyped.",
    ),
    "cell.date_impossible": Message(
        "ไม่มีวันที่ “{shown}” ในปฏิทิน กรุณาตรวจวัน เดือน และปี",
        "there is no day “{shown}” in the calendar; check day, month and year.",
    ),
    "cell.date_year": Message(
        "ปีของ “{shown}” ไม่ใช่ พ.ศ. หรือ ค.ศ. ที่เป็นไปได้ กรุณาพิมพ์ปี 4 หลัก เช่น 2569 หรือ 2026",
        "the year of “{shown}” is no possible Buddhist or CE year; type four digits, such as 2569 or 2026.",
    ),
    "cell.date_none": Message(
        "ช่องนี้เป็นวันที่ศูนย์ (เช่น 0/0/0000 หรือ 0/1/1900) ซึ่งไม่ใช่วันที่ กรุณาพิมพ์วันที่ หรือลบค่าออกถ้าไม่มี",
        "it is a zero date (such as 0/0/0000 or 0/1/1900), which is no date; type the date, or clear the cell.",
    ),
    "cell.date_zone": Message(
        "“{shown}” เป็นเวลาของเขตเวลาอื่น จึงไม่รู้ว่าเป็นวันใดในไทย กรุณาพิมพ์เฉพาะวัน/เดือน/ปี เช่น 1/10/2569",
        "“{shown}” is a time in another zone, so which day it is in Thailand cannot be told; "
        "type the day alone, such as 1/10/2569.",
    ),
    "cell.date_unreadable": Message(
        "อ่านช่องนี้เป็นวันที่ไม่ได้ กรุณาพิมพ์เป็นวัน/เดือน/ปี เช่น 1/10/2569 หรือ 1 ต.ค. 2569",
        "it cannot be read as a date; type day/month/year, such as 1/10/2569 or 1 Oct 2026.",
    ),
    "cell.date_future": Message(
        "วันที่ {shown} ยังมาไม่ถึง กรุณาตรวจวัน เดือน และปี",
        "{shown} has not come yet; check day, month and year.",
    ),
    "cell.date_too_early": Message(
        "วันที่ {shown} นานเกินกว่าจะเบิกได้ (ก่อน {first}) กรุณาตรวจปี",
        "{shown} is too long ago to be claimed (before {first}); check the year.",
    ),
    "cell.time_number": Message(
        "ช่องนี้เป็นตัวเลขที่ไม่ได้จัดรูปแบบเป็นเวลา กรุณาพิมพ์เป็น ชั่วโมง:นาที เช่น 08:30",
        "it is a number that is not formatted as a time; type hours:minutes, such as 08:30.",
    ),
    "cell.time_unreadable": Message(
        "อ่านช่องนี้เป็นเวลาของวันไม่ได้ กรุณาพิมพ์เป็น ชั่วโมง:นาที เช่น 08:30",
        "it cannot be read as a time of day; type hours:minutes, such as 08:30.",
    ),
    "cell.cid_mangled": Message(
        "โปรแกรมตารางคำนวณเก็บเลขประจำตัวนี้เป็นตัวเลขที่ไม่ครบ 13 หลัก หรือปัดหลักท้าย ๆ เป็นศูนย์ไปแล้ว กรุณาจัดรูปแบบช่องเป็นข้อความ (Text) แล้วพิมพ์ให้ครบ 13 หลัก",
        "the spreadsheet program keeps this identity number as a number that is not 13 digits, or that has lost the last; "
        "format the cell as text and type all 13 digits.",
    ),
    "cell.code_number": Message(
        "ช่องนี้เป็นตัวเลข ศูนย์นำหน้าอาจหายไปแล้ว กรุณาจัดรูปแบบช่องเป็นข้อความ (Text) แล้วพิมพ์ใหม่ให้ครบทุกหลักรวมศูนย์นำหน้า",
        "it is a number, and may have lost leading zeros; format the cell as text and type it with its zeros.",
    ),
    "cell.code_mangled": Message(
        "โปรแกรมตารางคำนวณย่อค่านี้เป็นรูปแบบ 1.23E+11 แล้ว กรุณาจัดรูปแบบช่องเป็นข้อความ (Text) แล้วพิมพ์ใหม่ให้ครบทุกหลัก",
        "the spreadsheet program has shortened it to a form such as 1.23E+11; format the cell as text and type it in full.",
    ),
    "cell.code_long": Message(
        "ค่านี้ยาวกว่า {most} ตัวอักษร กรุณาตรวจว่าพิมพ์ถูกช่อง แล้วพิมพ์ใหม่",
        "it is longer than {most} characters; check that it stands in the right column, and type it anew.",
    ),
    "cell.text_long": Message(
        "ค่านี้ยาวกว่า {most} ตัวอักษร กรุณาตรวจว่าพิมพ์ถูกช่อง แล้วพิมพ์ให้สั้นลง",
        "it is longer than {most} characters; check that it stands in the right column, and type it shorter.",
    ),
    "cell.choice_unknown": Message(
        "ค่านี้ไม่อยู่ในรายการให้เลือก กรุณาเลือกจากรายการ เช่น {offered}",
        "it is not in the list of this column; choose from the list, such as {offered}.",
    ),
    "cell.choice_close": Message(
        "ค่านี้ไม่อยู่ในรายการให้เลือก หากหมายถึง {matches} กรุณาเลือกค่านั้นจากรายการ",
        "it is not in the list of this column; if {matches} is meant, choose that.",
    ),
    "cell.choice_ambiguous": Message(
        "ค่านี้อาจหมายถึง {matches} กรุณาเลือกค่าที่ถูกต้องจากรายการ",
        "it may mean {matches}; choose the one that is meant from the list.",
    ),
    "cell.count": Message(
        "ค่านี้ไม่ใช่จำนวนเต็ม 0–99 กรุณาพิมพ์เฉพาะตัวเลข เช่น 2",
        "it is not a whole number from 0 to 99; type digits only, such as 2.",
    ),
    "cell.result_calculated": Message(
        "“{shown}” มีทศนิยมมากกว่าที่ห้องแล็บรายงาน คงเป็นค่าที่คำนวณขึ้น กรุณาพิมพ์ตัวเลขตามใบรายงาน เช่น 7.2",
        "“{shown}” has more decimals than a laboratory reports and was probably calculated; type the number of the report, such "
        "as 7.2.",
    ),
    "cell.icd10": Message(
        "อ่านช่องนี้เป็นรหัส ICD-10 ไม่ได้ กรุณาพิมพ์เฉพาะรหัส เช่น E119 หลายรหัสคั่นด้วยจุลภาค",
        "it cannot be read as ICD-10 codes; type codes only, such as E119, with commas between several.",
    ),
    "cell.differs": Message(
        "ค่านี้ไม่ตรงกับแถวที่ {row} ของแผ่นงาน {sheet} ซึ่งเป็นการรับบริการเดียวกัน (VN เดียวกัน) กรุณาแก้ให้ตรงกัน "
        "หรือแก้เลขที่รับบริการถ้าเป็นคนละครั้ง",
        "it is not what row {row} of sheet {sheet} says of the same visit (VN); make them agree, "
        "or mend the visit number if these are two visits.",
    ),
    "row.cancelled": Message(
        "แถวนี้บอกไว้ที่ช่อง {cell} ว่ายกเลิก จึงไม่ส่ง ถ้ายกเลิกจริงกรุณาลบแถวนี้ ถ้าไม่ได้ยกเลิกกรุณาแก้ช่อง {cell}",
        "the row says in {cell} that it is cancelled, so it is not sent; delete the row if it is, mend {cell} if it is not.",
    ),
    "row.struck": Message(
        "ช่อง {cell} ของแถวนี้ถูกขีดฆ่า จึงไม่ส่ง ถ้ายกเลิกจริงกรุณาลบแถวนี้ ถ้าไม่ใช่กรุณาเอาเส้นขีดฆ่าออก",
        "{cell} of the row is struck through, so it is not sent; delete the row if it does not count, or take the line away.",
    ),
    "row.hidden": Message(
        "แถวนี้ถูกซ่อนหรือกรองไว้ แต่เป็นของการรับบริการเดียวกับแถวที่มองเห็น (VN เดียวกัน) กรุณายกเลิกการซ่อน หรือลบแถวนี้",
        "the row is hidden or filtered out, and of the same visit (VN) as rows that are seen; unhide it, or delete it.",
    ),
    "row.repeated": Message(
        "แถวนี้ซ้ำกับแถวที่ {row} ของแผ่นงาน {sheet} ทุกค่า จึงใช้แถวนั้นแถวเดียว ไม่ต้องแก้ไข",
        "the row says the same as row {row} of sheet {sheet}, which counts; nothing needs to be done.",
    ),
    "row.contradicts": Message(
        "แถวนี้เป็นรายการเดียวกับแถวที่ {row} ของแผ่นงาน {sheet} แต่ค่าไม่ตรงกัน กรุณาลบแถวที่ผิด หรือแก้เลขที่รับบริการถ้าเป็นคนละครั้ง",
        "the row is the same item of the same visit as row {row} of sheet {sheet}, with other values; "
        "delete the wrong row, or mend the visit number if these are two visits.",
    ),
}
"""The reasons by their code. The sheet and cell are put in front, so the English begins in lower case."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a value cannot be used, without its place.

    Args:
        rule: A code of `REASONS`.
        message: What is wrong and what to type instead; the only values it quotes are dates and lab results.
    """

    rule: str
    message: Message = field(repr=False)


def unusable(rule: str, **values: object) -> Unusable:
    """The reason with that code, its placeholders filled in."""
    return Unusable(rule, REASONS[rule].fill(**values) if values else REASONS[rule])


def placed(why: Unusable, sheet: str, address: str, column: Column) -> Fault:
    """The fault of one cell; its message names sheet, cell and heading."""
    message = Message(
        f"แผ่นงาน {sheet} ช่อง {address} ({column.heading.th}): {why.message.th}",
        f"Sheet {sheet}, cell {address} ({column.heading.en}): {why.message.en}",
    )
    return Fault(column.name, address, why.rule, message)
