"""Several facilities in one configuration: what tells them apart."""

import re
from collections.abc import Iterable, Sequence
from itertools import combinations

from core.errors import ConfigurationError
from core.messages import Message
from flows.settings.keys import variable_spelling
from flows.settings.model import Settings

# One dash or underscore at a time: two underscores stand between the parts of a variable's name.
_NAME = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")

SAME_HCODE = Message(
    "หน่วยบริการ {one} และ {other} มีรหัส {hcode} เดียวกันในสภาพแวดล้อม {environment} กรุณาแก้ facility.hcode ของหน่วยหนึ่ง หรือลบออก",
    "The facilities {one} and {other} have the same hcode {hcode} in the environment {environment}: correct "
    "facility.hcode of one of them, or remove it.",
)


def refuse_names(names: Iterable[str]) -> None:
    """Refuse names that cannot be part of a variable's.

    Raises:
        ConfigurationError: One cannot.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(_BAD_NAME.fill(name=name))


def refuse_alike(facilities: Sequence[Settings]) -> None:
    """Refuse facilities that cannot be told apart: by name, by the claims they send, by the inbox they look into.

    Args:
        facilities: The settings of each.

    Raises:
        ConfigurationError: Two cannot.
    """
    for one, other in combinations(facilities, 2):
        pair = {"one": one.facility_key, "other": other.facility_key}
        if variable_spelling(one.facility_key) == variable_spelling(other.facility_key):
            raise ConfigurationError(_SAME_NAME.fill(**pair))
        environment, hcode = one.api.environment, one.facility.hcode
        if hcode and (environment, hcode) == (other.api.environment, other.facility.hcode):
            raise ConfigurationError(SAME_HCODE.fill(**pair, hcode=hcode, environment=environment))
        folder, others = one.inbox_folder(), other.inbox_folder()
        if folder.is_relative_to(others) or others.is_relative_to(folder):
            raise ConfigurationError(_SAME_INBOX.fill(**pair, folder=folder))


_BAD_NAME = Message(
    "ชื่อหน่วยบริการ facilities.{name} ใช้ไม่ได้ ใช้ a-z 0-9 และขีดเดี่ยว - หรือ _ ระหว่างคำ เช่น health-centre",
    "The name facilities.{name} cannot be used: it is of small letters and digits, with a single dash or underscore "
    "between words, as in health-centre.",
)
_SAME_NAME = Message(
    "ชื่อหน่วยบริการ {one} และ {other} เขียนเหมือนกันในชื่อตัวแปร กรุณาเปลี่ยนชื่อหนึ่ง",
    "The facilities {one} and {other} are spelt alike in the names of variables: give one of them another name.",
)
_SAME_INBOX = Message(
    "หน่วยบริการ {one} และ {other} ใช้โฟลเดอร์ inbox เดียวกันหรือซ้อนกัน ({folder}) กรุณาแก้ inbox.folder ของหน่วยหนึ่ง",
    "The inboxes of the facilities {one} and {other} are the same folder, or one lies in the other ({folder}): correct "
    "inbox.folder of one of them.",
)
