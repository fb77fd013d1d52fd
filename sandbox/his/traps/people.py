"""Traps in who the person is. Each gives the VNs of its visits; the docstring says what is wrong and what is right."""

from sandbox.his.database import ZERO_DATE
from sandbox.his.people import check_digit, identity_number
from sandbox.his.traps.visit_factory import VisitFactory


def _both(factory: VisitFactory, **changes: object) -> list[str]:
    """The same change to a diabetic and to a vaccinated child."""
    return [factory.dm(factory.adult(**changes)), factory.epi(factory.child(**changes))]


def _as_tis620(text: str) -> str:
    """UTF-8 text as it shows when its bytes are read as TIS-620, which makes control characters of some of them."""
    return text.encode().decode("tis-620")


def zero_date_of_birth(factory: VisitFactory) -> list[str]:
    """The date of birth is 0000-00-00 (1899-12-30 on PostgreSQL): refused."""
    return _both(factory, born=ZERO_DATE)


def buddhist_date_of_birth(factory: VisitFactory) -> list[str]:
    """The date of birth stands in Buddhist years: refused."""
    return [
        factory.dm(factory.adult(born=f"{factory.first_day.year + 543 - 55}-05-17")),
        factory.epi(factory.child(born=f"{factory.first_day.year + 543 - 1}-12-28")),
    ]


def implausible_date_of_birth(factory: VisitFactory) -> list[str]:
    """Born after the visit, and born 122 years before it: refused."""
    year = factory.last_day.year
    return [factory.dm(factory.adult(born=f"{year + 1}-12-31")), factory.dm(factory.adult(born=f"{year - 122}-05-17"))]


def identity_number_with_dashes(factory: VisitFactory) -> list[str]:
    """The identity number is typed with dashes: claimed without them."""
    return _punctuated(factory, "-")


def identity_number_with_spaces(factory: VisitFactory) -> list[str]:
    """The identity number is typed with spaces: claimed without them."""
    return _punctuated(factory, " ")


def _punctuated(factory: VisitFactory, mark: str) -> list[str]:
    def number() -> str:
        # Beyond any person's number, so that it is nobody else's.
        digits = identity_number(9_000_000 + factory.records.serial("identity"))
        return mark.join((digits[0], digits[1:5], digits[5:10], digits[10:12], digits[12]))

    return [factory.dm(factory.adult(cid=number())), factory.epi(factory.child(cid=number()))]


def identity_number_placeholder(factory: VisitFactory) -> list[str]:
    """Thirteen noughts, thirteen ones, and ones with a right check digit: refused."""
    numbers = ("0000000000000", "1111111111111", "1" * 12 + check_digit("1" * 12))
    return [factory.dm(factory.adult(cid=number)) for number in numbers]


def identity_number_wrong_check_digit(factory: VisitFactory) -> list[str]:
    """The thirteenth digit is not what the twelve before it give: refused."""
    right = identity_number(9_500_000)
    wrong = right[:12] + str((int(right[12]) + 1) % 10)
    return _both(factory, cid=wrong)


def identity_number_missing(factory: VisitFactory) -> list[str]:
    """No identity number and no passport: refused."""
    return [factory.dm(factory.adult(cid=None)), factory.epi(factory.child(cid=""))]


def passport_only(factory: VisitFactory) -> list[str]:
    """A passport instead of an identity number: refused."""
    return [
        factory.dm(factory.adult(cid=None, passport="AB1234567", nationality="48")),
        factory.dt(factory.adult(cid="", passport="XY7654321")),
    ]


def mojibake_name(factory: VisitFactory) -> list[str]:
    """UTF-8 read as TIS-620, all visible, with control characters, and with those lost: refused rather than sent."""
    invisible = _as_tis620("กาญจนา")
    torn = "".join(letter if letter.isprintable() else "?" for letter in invisible)
    return [
        factory.dm(factory.adult(fname=_as_tis620("วิมล"), lname=_as_tis620("สายสมร"))),
        factory.epi(factory.child(fname=invisible)),
        factory.dt(factory.adult(fname=torn)),
    ]


def name_missing(factory: VisitFactory) -> list[str]:
    """No surname, no given name: refused."""
    return [factory.dm(factory.adult(lname="")), factory.epi(factory.child(fname=None))]


def sex_missing(factory: VisitFactory) -> list[str]:
    """The sex is empty, and one that is neither: refused."""
    return [factory.dm(factory.adult(sex=None)), factory.epi(factory.child(sex="3"))]


def nationality_unmapped(factory: VisitFactory) -> list[str]:
    """The nationality is empty, and one without an NHSO code: refused."""
    return [factory.dm(factory.adult(nationality=None)), factory.epi(factory.child(nationality="00"))]


def nationality_of_two_digits(factory: VisitFactory) -> list[str]:
    """The NHSO code of the nationality is "99": claimed as "099"."""
    return _both(factory, nationality="099")


def foreign_nationality(factory: VisitFactory) -> list[str]:
    """Somebody of Myanmar with an identity number: dm is claimed, a vaccination is refused."""
    return _both(factory, nationality="48")


def marital_status_unmapped(factory: VisitFactory) -> list[str]:
    """The marital status is empty, and one without an NHSO code: claimed as "9"."""
    return [factory.dm(factory.adult(marriage=None)), factory.dt(factory.adult(marriage="8"))]


def clergy(factory: VisitFactory) -> list[str]:
    """A monk, single by the marital status: claimed as "6"."""
    changes = {"named_as": "1", "title": "พระ", "marriage": "1"}
    return [factory.dm(factory.adult(**changes)), factory.dt(factory.adult(**changes))]


def occupation_missing(factory: VisitFactory) -> list[str]:
    """No occupation: claimed, and none is invented."""
    return _both(factory, occupation=None)


TRAPS = (
    zero_date_of_birth,
    buddhist_date_of_birth,
    implausible_date_of_birth,
    identity_number_with_dashes,
    identity_number_with_spaces,
    identity_number_placeholder,
    identity_number_wrong_check_digit,
    identity_number_missing,
    passport_only,
    mojibake_name,
    name_missing,
    sex_missing,
    nationality_unmapped,
    nationality_of_two_digits,
    foreign_nationality,
    marital_status_unmapped,
    clergy,
    occupation_missing,
)
