import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_caller import Payload, dm, ht, pid, vaccination

from sandbox.payloads import invalid_enquiry_fields, invalid_fields, pid_is_valid, vaccine_codes


def changed(payload: Payload, path: str, value: Any) -> Payload:
    """A copy with one value changed; `path` like "vaccine.0.code". None leaves the key out."""
    payload = copy.deepcopy(payload)
    *steps, last = path.split(".")
    place: Any = payload
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return payload


@pytest.mark.parametrize(
    ("payload", "service"),
    [(dm(), "dmht"), (ht(), "dmht"), (vaccination(), "epi"), (vaccination(code="106"), "dt")],
    ids=["dm", "ht", "epi", "dt"],
)
def test_good_payload_of_each_kind_is_valid(payload: Payload, service: str) -> None:
    assert invalid_fields(payload, service) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", ""),
        ("seq", 690921000001),
        ("hn", None),
        ("pid", "1234567890123"),
        ("pid", "1111111111111"),
        ("pid", "1-1000-00000-00-1"),
        ("id_type", "2"),
        ("fname", " "),
        ("marriage", "7"),
        ("dob", "1960-02-30"),
        ("dob", "2503-01-31"),
        ("dob", "2026-09-22"),
        ("dob", "1899-12-30"),
        ("dob", "31/01/1960"),
        ("sex", "M"),
        ("nation", "99"),
        ("hcode", "1095"),
        ("hospital_name", None),
        ("visit_date_time", "2026-09-21"),
        ("visit_date_time", "2026-09-21 08:30:00"),
        ("visit_date_time", "2026-09-21 24:30"),
        ("visit_date_time", "2569-09-21 08:30"),
        ("uuc", "0"),
        ("is_used_dm", "2"),
    ],
)
def test_each_wrong_scalar_is_named(field: str, value: Any) -> None:
    assert field in invalid_fields(changed(dm(), field, value), "dmht")


@pytest.mark.parametrize("value", ["7.2 %", "<4.0", "Hemolysis", "", "0", "7,2", "-7", "7.", "NaN", "๗.๒"])
def test_lab_result_is_a_plain_number(value: str) -> None:
    wrong = invalid_fields(changed(dm(), "claim_services.0.lab_result", value), "dmht")
    assert wrong == ["claim_services[0].lab_result"]


@pytest.mark.parametrize("value", ["E11.9", "e119", "E1", "119", ""])
def test_diagnosis_is_a_code_without_dot(value: str) -> None:
    assert invalid_fields(changed(dm(), "diagnosis.0.icd10", value), "dmht") == ["diagnosis[0].icd10"]


def test_each_kind_needs_its_own_diagnosis() -> None:
    assert invalid_fields(changed(dm(), "diagnosis.0.icd10", "I10"), "dmht") == ["diagnosis"]
    assert invalid_fields(changed(ht(), "diagnosis.0.icd10", "I200"), "dmht") == ["diagnosis"]


def test_each_kind_has_its_own_services() -> None:
    assert invalid_fields(dm() | {"claim_services": ht()["claim_services"]}, "dmht") == ["claim_services"]
    assert invalid_fields(changed(dm(), "claim_services.0.code", "32001"), "dmht") == ["claim_services[0].code"]
    assert invalid_fields(changed(dm(), "claim_services", []), "dmht") == ["claim_services"]
    assert invalid_fields(changed(dm(), "claim_services", dm()["claim_services"] * 2), "dmht") == ["claim_services"]


@pytest.mark.parametrize(("used_dm", "used_ht"), [("1", "1"), ("0", "0")])
def test_dm_and_ht_are_two_claims(used_dm: str, used_ht: str) -> None:
    wrong = invalid_fields(dm() | {"is_used_dm": used_dm, "is_used_ht": used_ht}, "dmht")
    assert wrong == ["is_used_dm", "is_used_ht"]


@pytest.mark.parametrize("payload", [dm(), vaccination()], ids=["dmht", "epi"])
def test_unknown_field_is_refused_without_repeating_it(payload: Payload) -> None:
    service = "dmht" if "uuc" in payload else "epi"
    assert invalid_fields(payload | {"telephone": "0000000000"}, service) == ["unknown field"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("code", "815"),
        ("lot_number", ""),
        ("dose_quantity", 1),
        ("manufacturer", None),
        ("expiration_date", "2026-09-20"),
        ("expiration_date", "2571-01-31"),
        ("occurence_date_time", "2026-09-21"),
        ("license_no", ""),
        ("name", " "),
    ],
)
def test_each_wrong_value_of_a_dose_is_named(path: str, value: Any) -> None:
    assert invalid_fields(changed(vaccination(), f"vaccine.0.{path}", value), "epi") == [f"vaccine[0].{path}"]


def test_one_vaccine_a_request() -> None:
    dose = vaccination()["vaccine"]
    assert invalid_fields(vaccination() | {"vaccine": dose * 2}, "epi") == ["vaccine"]
    assert invalid_fields(vaccination() | {"vaccine": []}, "epi") == ["vaccine"]


def test_dt_takes_106_alone_and_epi_all_but_it() -> None:
    assert invalid_fields(vaccination(code="106"), "epi") == ["vaccine[0].code"]
    assert invalid_fields(vaccination(code="043"), "dt") == ["vaccine[0].code"]


@pytest.mark.parametrize(
    ("code", "day", "valid"),
    [
        ("401", "2023-06-30", True),
        ("401", "2023-07-01", False),
        ("I12", "2023-06-30", False),
        ("I12", "2023-07-01", True),
    ],
)
def test_code_is_valid_on_the_day_of_the_dose(code: str, day: str, valid: bool) -> None:
    assert (invalid_fields(vaccination(code=code, day=day), "epi") == []) is valid


def test_prenatal_goes_with_p41_only() -> None:
    prenatal = {"gravida": "1", "ga_week": "28"}
    assert invalid_fields(vaccination(code="P41") | {"prenatal": prenatal}, "epi") == []
    assert invalid_fields(vaccination(code="043") | {"prenatal": prenatal}, "epi") == ["prenatal"]
    assert invalid_fields(vaccination(code="P41") | {"prenatal": {"gravida": "0"}}, "epi") != []
    assert "prenatal" in invalid_fields(vaccination(code="106") | {"prenatal": prenatal}, "dt")


def test_diagnosis_may_be_missing_from_a_vaccination_only() -> None:
    assert invalid_fields(vaccination() | {"diagnosis": dm()["diagnosis"]}, "epi") == []
    assert invalid_fields(changed(dm(), "diagnosis", None), "dmht") == ["diagnosis"]


def test_list_holds_every_claimable_code() -> None:
    assert len(vaccine_codes()) == 66
    assert [code for code, about in vaccine_codes().items() if about.service == "dt"] == ["106"]


@given(st.integers(min_value=0, max_value=10**12 - 1), st.integers(min_value=0, max_value=9))
def test_exactly_one_check_digit_is_right(number: int, digit: int) -> None:
    right = pid(number)
    assert pid_is_valid(right[:-1] + str(digit)) is (right[-1] == str(digit))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, st.sampled_from(sorted({*dm(), *vaccination(), "prenatal"})), st.sampled_from(["dmht", "epi", "dt"]))
def test_any_json_in_place_of_any_value_is_judged_without_breaking(value: Any, field: str, service: str) -> None:
    for payload in (value, dm() | {field: value}, vaccination() | {field: value}, vaccination(code="P41")):
        assert isinstance(invalid_fields(payload, service), list)
        assert isinstance(invalid_enquiry_fields(payload, "epi"), list)
