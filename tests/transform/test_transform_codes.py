"""The lists, the registry of rules, and the payload contract."""

import json
import shutil
import string
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from day_builder import dm_day, dt_day, epi_day, ht_day, make, only_claim, rules
from pydantic import ValidationError

from core.errors import ConfigurationError
from transform.claim import KINDS
from transform.claims import wanted
from transform.code_lists import FOLDER, KEYS, VALIDITY
from transform.codes import read_codes, valid_on
from transform.payload import PAYLOADS, DmhtPayload, EpiPayload, json_schema
from transform.rules import registry
from transform.settings import TransformSettings


def _own(folder: Path, name: str, old: str, new: str) -> TransformSettings:
    """A site's folder that holds one list, changed in one place."""
    text = (FOLDER / f"{name}.csv").read_text(encoding="utf-8")
    assert old in text
    (folder / f"{name}.csv").write_text(text.replace(old, new, 1), encoding="utf-8")
    return TransformSettings(codes_folder=folder)


@pytest.mark.parametrize("name", KEYS)
def test_every_row_of_every_list_has_a_validity_and_a_source(name: str) -> None:
    listed = getattr(read_codes(), name)
    assert list(listed.columns).index("valid_to") == list(listed.columns).index("valid_from") + 1
    assert set(VALIDITY) <= set(listed.columns)
    assert listed["source"].notna().all()


def test_the_lists_of_the_folder_are_the_lists_that_are_read() -> None:
    assert {path.stem for path in FOLDER.glob("*.csv")} == set(KEYS)


def test_a_list_is_valid_from_its_first_to_its_last_day() -> None:
    vaccines = read_codes().vaccines
    assert "401" in set(valid_on(vaccines, date(2023, 6, 30))["code"])
    assert "401" not in set(valid_on(vaccines, date(2023, 7, 1))["code"])


def test_p41_has_one_row_on_any_day() -> None:
    for day in (date(2026, 6, 4), date(2026, 6, 5)):
        assert (valid_on(read_codes().vaccines, day)["code"] == "P41").sum() == 1


def test_what_each_kind_wants_of_the_hospital_database() -> None:
    assert wanted(["dm"]).icd10_prefixes == ("E11",)
    assert wanted(["dm"]).first_time_icd10 == ()
    assert wanted(["dm"]).lab_codes == ("32401",)
    assert wanted(["ht"]).first_time_icd10 == ("I10", "I11", "I12", "I13", "I14", "I15")
    assert wanted(["ht"]).lab_codes == ("32103", "32202")
    assert [wanted([kind]).vaccines for kind in KINDS] == [False, False, True, True]


def test_a_site_replaces_one_list_and_keeps_the_others(tmp_path: Path) -> None:
    settings = _own(tmp_path, "limits", "dt_age_years,25", "dt_age_years,24")
    only_claim(make(dt_day({"dob": "2002-09-21"}), settings=settings))
    assert make(dt_day({"dob": "2002-09-22"}), settings=settings).claims == ()


def test_a_site_may_add_a_right_that_qualifies(tmp_path: Path) -> None:
    settings = _own(tmp_path, "rights", "dm,UCS,", "dm,LGO,,,the site\ndm,UCS,")
    only_claim(make(dm_day(scheme="LGO"), settings=settings))


def test_a_rate_may_change_with_the_day(tmp_path: Path) -> None:
    settings = _own(
        tmp_path, "rates", "32401,150,2025-10-01,,", "32401,150,2025-10-01,2026-09-20,x\n32401,200,2026-09-21,,"
    )
    assert only_claim(make(dm_day(), settings=settings)).baht == 200


@pytest.mark.parametrize(
    ("name", "old", "new", "column"),
    [
        ("limits", "name,value", "name,valeu", "value"),
        ("limits", "dt_age_years,25", "dt_age_years,twenty", "value"),
        ("limits", "dt_age_years,25", "dt_age_years,", "value"),
        ("rates", "2025-10-01", "1/10/2568", "valid_from"),
        ("rates", "32202,45", "32401,45", "item"),
        ("vaccines", "010,epi", "010,epl", "service"),
        ("rights", "dm,UCS,,,", 'dm,UCS,,,"', "kind"),
    ],
)
def test_a_list_not_of_the_form_is_named_with_its_column(
    tmp_path: Path, name: str, old: str, new: str, column: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_codes(_own(tmp_path, name, old, new).codes_folder)
    assert f"{name}.csv" in refused.value.message.en
    assert column in refused.value.message.th


def test_a_list_not_in_utf8_is_named(tmp_path: Path) -> None:
    text = (FOLDER / "titles.csv").read_text(encoding="utf-8").replace("…", "")
    (tmp_path / "titles.csv").write_bytes(text.encode("cp874"))
    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_codes(tmp_path)


def test_a_missing_limit_is_named(tmp_path: Path) -> None:
    settings = _own(tmp_path, "limits", "dt_age_years", "dt_age")
    with pytest.raises(ConfigurationError, match="dt_age_years"):
        make(dt_day(), settings=settings)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        read_codes(tmp_path / "nowhere")


def test_a_list_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "titles.csv", tmp_path)
    text = (FOLDER / "limits.csv").read_text(encoding="utf-8")
    (tmp_path / "limits.csv").write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    assert read_codes(tmp_path).on(date(2026, 9, 21)).limit("dt_age_years") == 25


def test_every_rule_says_what_and_what_to_do_in_both_languages() -> None:
    for code, rule in registry().items():
        assert code == rule.code
        for message in (rule.message, rule.advice):
            assert any("ก" <= letter <= "๛" for letter in message.th), code
            assert not any("ก" <= letter <= "๛" for letter in message.en), code
        names = [
            {name for _, name, _, _ in string.Formatter().parse(text) if name}
            for text in (rule.message.th, rule.message.en)
        ]
        assert names[0] == names[1], code
        assert rule.source, code


def test_every_rule_looks_at_a_column_of_the_contract() -> None:
    from extract.contract import TABLES

    for rule in registry().values():
        table, _, column = rule.column.partition(".")
        assert column in TABLES[table], rule.code  # type: ignore[index]


def test_a_rule_holds_within_its_days_and_kinds() -> None:
    rule = registry()["dt.too_young"]
    assert rule.holds("dt", date(2026, 1, 1))
    assert not rule.holds("epi", date(2026, 1, 1))


def test_there_are_rules_for_every_kind() -> None:
    assert {kind for rule in registry().values() for kind in rule.kinds} == set(KINDS)


def test_every_setting_is_described_in_a_sentence() -> None:
    for name, field in TransformSettings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(ValidationError):
        TransformSettings.model_validate({"dose": "1"})


@pytest.mark.parametrize("service", PAYLOADS)
def test_the_json_schema_allows_no_unknown_field(service: str) -> None:
    schema = json_schema(service)  # type: ignore[arg-type]
    for part in [schema, *schema["$defs"].values()]:
        assert part["additionalProperties"] is False
    assert {"seq", "pid", "visit_date_time"} <= set(schema["required"])


def test_a_payload_is_compact_utf8_json_in_the_order_of_the_model() -> None:
    payload = only_claim(make(dm_day())).payload
    assert payload == json.dumps(json.loads(payload), ensure_ascii=False, separators=(",", ":")).encode()
    assert list(json.loads(payload)) == list(DmhtPayload.model_fields)


@pytest.mark.parametrize(
    "changes", [{"is_used_ht": "1"}, {"claim_services": []}, {"dob": "2513-01-01"}, {"extra": "1"}]
)
def test_a_payload_not_of_the_contract_is_refused_without_its_values(changes: dict[str, object]) -> None:
    sent = json.loads(only_claim(make(dm_day())).payload)
    with pytest.raises(ValidationError) as refused:
        DmhtPayload.model_validate_json(json.dumps(sent | changes))
    assert sent["pid"] not in str(refused.value)
    assert "2513" not in str(refused.value)


def test_prenatal_goes_with_p41_only() -> None:
    sent = json.loads(only_claim(make(epi_day())).payload)
    with pytest.raises(ValidationError):
        EpiPayload.model_validate_json(json.dumps(sent | {"prenatal": {"gravida": "1", "ga_week": "28"}}))


def test_what_only_the_contract_refuses_is_an_issue_that_names_the_field() -> None:
    made = make(dm_day(fname="สม\x0bหญิง".replace("\x0b", "\u2028")))
    assert rules(made) == []
    made = make(epi_day(license_no="45\x0b11"))
    (issue,) = made.issues
    assert issue.rule == "claim.contract"
    assert "license_no" in issue.message.th
    assert "45" not in issue.message.en


def test_the_sandbox_finds_nothing_wrong_with_any_claim() -> None:
    from sandbox.payloads import invalid_fields

    for day in (dm_day(), ht_day(), epi_day(), dt_day(), epi_day("P41", {"gravida": "1", "ga_week": "28"})):
        claim = only_claim(make(day))
        assert invalid_fields(json.loads(claim.payload), claim.service) == []


def test_the_vaccine_list_is_the_reference_with_its_days() -> None:
    from sandbox.payloads import vaccine_codes

    listed = read_codes().vaccines
    for code, known in vaccine_codes().items():
        rows = listed[listed["code"] == code]
        assert set(rows["service"]) == {known.service}
        first = rows["valid_from"].min() if rows["valid_from"].notna().all() else pd.NaT
        assert (date.min if pd.isna(first) else first.date()) == known.first_day, code
    assert set(listed["code"]) == set(vaccine_codes())
