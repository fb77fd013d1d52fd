"""What may be seen of a record: its shape, never whose it is."""

import pytest

from core.masking import PARTLY, SHOWN, masked
from extract.contract import TABLES
from extract.reader import HELPER_COLUMNS

OF_A_PERSON = {"cid", "passport_no", "fname", "lname", "hn", "vn", "provider_name", "license_no", "dob", "closing_code"}


@pytest.mark.parametrize(
    ("column", "value", "seen"),
    [
        ("cid", "1-1037-02012-345", "9-9999-99999-999"),
        ("cid", "๑103702012345", "9999999999999"),
        ("hn", "000000012", "999999999"),
        ("passport_no", "Ab12345", "Xx99999"),
        ("lname", "ณ อยุธยา", "ก กกิกกก"),
        ("dob", "2503-02-01", "2503-99-99"),
        ("dob", "unknown", "xxxxxxx"),
        ("closing_code", "EP1234567890", "EP9999999999"),
        ("scheme", "UCS", "UCS"),
        ("result", "7.2 %", "7.2 %"),
        ("result", "แจ้งคุณสมมติ 081-2345678", "กกิกกิกกกกกิ 999-9999999"),
    ],
)
def test_personal_columns_keep_their_shape_alone(column: str, value: str, seen: str) -> None:
    assert masked(column, value) == seen


@pytest.mark.parametrize(
    ("spoilt", "sign"), [("เธชเธกเธ", "เธ"), ("à¸ªà¸¡à¸", "à¸"), ("ส\ufffdม", "\ufffd"), ("????", "??")]
)
def test_text_that_a_wrong_character_set_has_spoilt_is_still_seen_as_such(spoilt: str, sign: str) -> None:
    seen = masked("fname", spoilt)
    assert sign in seen
    assert "ส" not in seen


def test_column_that_nobody_knows_is_masked() -> None:
    assert masked("telephone", "081-234-5678") == "999-999-9999"


def test_every_column_is_shown_or_of_a_person() -> None:
    columns = {name for table in TABLES for name in TABLES[table] | HELPER_COLUMNS[table]}
    assert columns - SHOWN == OF_A_PERSON | {"his_claim_uid", "lab_order", "person_vn"}
    assert not SHOWN & (OF_A_PERSON | PARTLY.keys())
