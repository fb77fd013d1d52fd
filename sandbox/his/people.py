"""Synthetic people: common Thai names combined at random, identity numbers of a province that does not exist."""

from dataclasses import dataclass
from datetime import date
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_MEN = _words(
    "สมชาย สมศักดิ์ ประเสริฐ วิชัย สุรชัย อนุชา ธนพล กิตติ ณัฐพล วีระ ชัยวัฒน์ พงศกร ปรีชา บุญมี สุเทพ มานพ อำนาจ เกรียงไกร "
    "ศักดิ์ดา ธีรพงษ์ จักรพันธ์ นพดล สุริยา ไพโรจน์ คำปัน อุดม เอกชัย ภานุวัฒน์ ทองดี สำราญ"
)
_WOMEN = _words(
    "สมหญิง มาลี สุดา วันเพ็ญ ประภา นงลักษณ์ กัญญา พรทิพย์ สุภาพร อรุณี จันทร์เพ็ญ ศิริพร ปราณี รัตนา ลัดดา บุญเรือน สายฝน กาญจนา "
    "ดวงใจ เพ็ญศรี นิภา อารีย์ ยุพิน วิไลวรรณ ณัฐธิดา ปวีณา ชลธิชา คำแสน ทองใบ สมใจ"
)
_BOYS = [
    "ภูมิ",
    "ธนกฤต",
    "ณภัทร",
    "ปัณณวิชญ์",
    "กิตติภพ",
    "พชร",
    "ชยพล",
    "ปุณณวิช",
    "ธีรภัทร",
    "อชิระ",
    "ก้องภพ",
    "ศุภวิชญ์",
    "ธนวัฒน์",
    "วชิรวิทย์",
    "เตชินท์",
    "รัชชานนท์",
]
_GIRLS = _words(
    "กัญญาณัฐ พิมพ์ชนก ณัฐวดี ปุณยนุช ธัญชนก อภิชญา วรัญญา ชนัญชิดา ภัทรวดี ณิชา พรหมพร ปาณิสรา กมลชนก ศศิประภา ขวัญข้าว เบญญาภา"
)
_FAMILIES = _words(
    "ใจดี ศรีสุข แก้วมณี ทองคำ บุญมา สุขสวัสดิ์ วงศ์ใหญ่ จันทร์แก้ว อินทร์แก้ว พรมมา คำมูล แสงทอง ศรีวิชัย ปัญญาดี รุ่งเรือง ชัยมงคล "
    "เพชรดี มีสุข สายบุญ ดวงแก้ว กันทะวงศ์ ไชยวงค์ สิงห์ทอง วงค์คำ อุ่นเรือน บุญเรือง ยอดคำ เทพวงศ์ สมบูรณ์ ธรรมรักษ์ นาคทอง พันธ์ดี "
    "หอมจันทร์ ทิพย์รัตน์ กองแก้ว มณีวงศ์ ประทุมทอง สุริยะ นามวงศ์ ศรีจันทร์"
)

_ADULT_TITLES = {"1": ("นาย",), "2": ("นาง", "น.ส.", "นางสาว")}
_CHILD_TITLES = {"1": ("ด.ช.", "เด็กชาย"), "2": ("ด.ญ.", "เด็กหญิง")}
_OCCUPATIONS = ("001", "002", "003", "004", "005", "006")
UNIVERSAL_COVERAGE = ("10", "11", "12", "13")
"""pttype codes whose hipdata_code is UCS, WEL or DIS: the rights that dm and ht claims need."""
OTHER_RIGHTS = ("20", "21", "30", "40", "50")


@dataclass(frozen=True, slots=True)
class Patient:
    """One person; the fields are those of the `patient` table.

    `born` is ISO text, so that a trap can have an impossible date. `number` is the person's number in `person`.
    """

    number: int
    hn: str
    cid: str | None
    title: str
    fname: str
    lname: str
    born: str | None
    sex: str | None
    marriage: str | None
    nationality: str | None
    occupation: str | None
    pttype: str
    passport: str | None = None


def check_digit(first12: str) -> str:
    """The thirteenth digit of a Thai identity number: (11 - sum of digit x (13 - place) mod 11) mod 10."""
    total = sum(int(digit) * (13 - place) for place, digit in enumerate(first12))
    return str((11 - total % 11) % 10)


def identity_number(number: int) -> str:
    """A well-formed identity number for the person with this number, of a province (99) that does not exist."""
    # The factor is coprime to 10**7: the numbers look random and never repeat.
    first12 = f"{'135'[number % 3]}9900{number * 7_654_321 % 10_000_000:07d}"
    return first12 + check_digit(first12)


def new_patient(rng: Random, number: int, *, born: date, on: date, sex: str | None = None, pttype: str) -> Patient:
    """A person whose title, names, marital status and occupation fit their sex and their age.

    Args:
        rng: Random numbers.
        number: Unique in the database, at most 9,999,999; HN and identity number come from it.
        born: Date of birth.
        on: The day of the first visit.
        sex: "1" male, "2" female, None for either.
        pttype: Their right, a key of the `pttype` table.
    """
    sex = sex or rng.choice("12")
    age = (on - born).days / 365.25
    if age < 15:
        title, given = rng.choice(_CHILD_TITLES[sex]), rng.choice(_BOYS if sex == "1" else _GIRLS)
        marriage, occupation = "1", "007" if age >= 6 else "000"
    else:
        title, given = rng.choice(_ADULT_TITLES[sex]), rng.choice(_MEN if sex == "1" else _WOMEN)
        marriage = rng.choice("22345" if title == "นาง" else "1") if sex == "2" else rng.choice("122234")
        occupation = "007" if age < 20 else rng.choice(_OCCUPATIONS)
    return Patient(
        number=number,
        hn=f"{number:09d}",
        cid=identity_number(number),
        title=title,
        fname=given,
        lname=rng.choice(_FAMILIES),
        born=born.isoformat(),
        sex=sex,
        marriage=marriage,
        nationality="99",
        occupation=occupation,
        pttype=pttype,
    )
