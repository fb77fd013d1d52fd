"""The lists, the registry of rules, and the payload contract."""

import json
import shutil
import string
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from day_builder import (
    diagnosis,
    dm_day,
    dt_day,
    epi_day,
    ht_day,
    lab,
    make,
    only_claim,
    only_error,
    rules,
    tables,
    visit,
)
from pydantic import ValidationError

from core.errors import ConfigurationError
from transform.claim import KINDS
from transform.claims import wanted
from transform.code_lists import FOLDER, KEYS, VALIDITY
from transform.codes import rate_years, read_codes, three_characters, valid_on
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
        tmp_path, "rates", "32401,150,2025-10-01,", "32401,150,2025-10-01,2026-09-20,x\n32401,200,2026-09-21,"
    )
    assert only_claim(make(dm_day(), settings=settings)).baht == 200


@pytest.mark.parametrize(
    ("rows", "years"),
    [
        ("epi,20,2025-10-01,2026-09-30", "2569"),
        ("epi,20,2025-10-01,2026-09-30\nepi,20,2026-10-01,2027-09-30", "2569–2570"),
        ("epi,20,2025-10-01,", "2569–…"),
        ("epi,20,,", "…"),
    ],
)
def test_the_fiscal_years_that_rates_know_are_named(tmp_path: Path, rows: str, years: str) -> None:
    (tmp_path / "rates.csv").write_text(f"item,baht,valid_from,valid_to\n{rows}\n", encoding="utf-8")
    assert rate_years(read_codes(tmp_path).rates) == years


@pytest.mark.parametrize(
    ("name", "old", "new", "where"),
    [
        ("limits", "name,value", "name,valeu", "column valeu, value:"),
        ("limits", "name,value", "name,value,note", "column note:"),
        # all below were named without their row
        ("limits", "dt_age_years,25", "dt_age_years,twenty", "row 4, column value:"),
        ("limits", "dt_age_years,25", "dt_age_years,", "row 4, column value:"),
        ("limits", "dt_age_years,25", "\n,,,,\ndt_age_years,", "row 6, column value:"),
        ("rates", "2025-10-01", "1/10/2568", "row 2, column valid_from:"),
        ("rates", "32202,45", "32401,45", "row 3, column item, valid_from, valid_to:"),
        ("icd10", "dm,E11", "ht,i1.0", "row 3, column kind, prefix, valid_from, valid_to:"),
        ("icd10", "dm,E11", "dm,diabetes", "row 2, column prefix:"),
        ("icd10", "dm,E11", "dn,E11", "row 2, column kind:"),
        ("vaccines", "010,epi", "010,epl", "row 2, column service:"),
        ("vaccines", "010,epi", ",epi", "row 2, column code:"),
        ("vaccines", "010,epi", "' ',epi".replace("'", '"'), "row 2, column code:"),  # was read as a code
        ("rights", "dm,UCS,,,", 'dm,UCS,,,"', "row 2, column source:"),
        ("rights", "kind,right", "kind,kind,right", "column kind:"),
        # all below were read
        ("rights", "dm,UCS,,", "dm,UCS,2026-10-01,2026-09-30", "row 2, column valid_from, valid_to:"),
        ("rights", "dm,UCS,,", "dm,UCS,2569-10-01,", "row 2, column valid_from:"),
        ("rights", "dm,UCS,,", "dm,UCS,,2570-09-30", "row 2, column valid_to:"),
        ("labs", ",3,20,", ",20,3,", "row 2, column low, high:"),
        ("vaccines", ",11,20,", ",20,9,", "row 57, column age_from, age_to:"),
    ],
)
def test_a_list_not_of_the_form_is_named_with_its_row_and_column(
    tmp_path: Path, name: str, old: str, new: str, where: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_codes(_own(tmp_path, name, old, new).codes_folder)
    assert f"{name}.csv is not of the form at {where}" in refused.value.message.en


@pytest.mark.parametrize(
    ("prefix", "icd10", "counts"),
    [
        ("E119", "E119", True),
        ("E119", "E118", False),
        ("e11", "E119", True),
        ("E1", "E149", True),
        ("E11.9", "E119", True),
    ],
)
def test_an_icd10_prefix_of_any_length_and_spelling_counts(
    tmp_path: Path, prefix: str, icd10: str, counts: bool
) -> None:
    settings = _own(tmp_path, "icd10", "dm,E11,", f"dm,{prefix},")
    # were nothing for E119, e11, E1 and E11.9: statements compare three characters
    assert icd10[:3] in wanted(["dm"], settings).icd10_prefixes
    made = make(tables([visit()], [diagnosis(icd10)], [lab()]), settings=settings)
    assert [claim.kind for claim in made.claims] == ["dm"] * counts


def test_the_codes_wanted_of_the_hospital_database_have_three_characters() -> None:
    assert three_characters(["I10", "E119", "E118", "I1099"]) == ("E11", "I10")
    of_two, of_one = three_characters(["E1"]), three_characters(["E"])
    assert (of_two[0], of_two[-1], len(of_two)) == ("E10", "E1Z", 36)
    assert (of_one[0], of_one[-1], len(of_one)) == ("E00", "E9Z", 360)


def test_an_earlier_diagnosis_of_a_longer_prefix_counts_behind_one_that_does_not(tmp_path: Path) -> None:
    settings = _own(tmp_path, "icd10", "ht,I11,yes", "ht,I119,yes")
    rows = [diagnosis("I10"), diagnosis("I110", dx_date="2020-01-01", earlier=True)]
    only_claim(make(tables([visit()], rows, [lab("1.1", "32202")]), settings=settings))
    rows.append(diagnosis("I119", dx_date="2021-01-01", earlier=True))
    issue = only_error(make(tables([visit()], rows, [lab("1.1", "32202")]), settings=settings))
    assert issue.rule == "ht.not_newly_diagnosed"
    assert "I119 at an earlier visit (2021-01-01)" in issue.message.en


def test_codes_of_a_list_are_read_in_capitals(tmp_path: Path) -> None:
    only_claim(
        make(epi_day("P41", {"gravida": "1", "ga_week": "28"}), settings=_own(tmp_path, "vaccines", "P41", "p41"))
    )
    (tmp_path / "other").mkdir()
    settings = _own(tmp_path / "other", "rights", "dm,UCS,", "dm,lgo,,,the site\ndm,UCS,")
    only_claim(make(dm_day(scheme="LGO"), settings=settings))  # was no claim and no word of it


def test_a_lab_code_that_the_site_lists_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("item,baht\n32401,150\n32999,70\n", encoding="utf-8")
    settings = _own(tmp_path, "labs", "32202,ht", "32999,dm,Microalbumin,mg/L,,0,500,,,the site\n32202,ht")
    claim = only_claim(make(tables([visit()], [diagnosis()], [lab(), lab("20 mg/L", "32999")]), settings=settings))
    # was refused as claim.contract, the fault of the record
    assert [(row["code"], row["name"]) for row in json.loads(claim.payload)["claim_services"]] == [
        ("32401", "HbA1C"), ("32999", "Microalbumin"),
    ]  # fmt: skip
    assert claim.baht == 220


def test_a_payload_holds_only_labs_of_its_kind() -> None:
    sent = json.loads(only_claim(make(dm_day())).payload)
    DmhtPayload.model_validate(sent, context={"lab_codes": ["32401"]})
    for codes in (["32202", "32103"], []):
        with pytest.raises(ValidationError):
            DmhtPayload.model_validate(sent, context={"lab_codes": codes})


def test_a_list_without_a_column_that_may_be_empty_is_read(tmp_path: Path) -> None:
    # was refused, as if the column were wrong
    (tmp_path / "labs.csv").write_text("code,kind,name,low,high\n32401,dm,HbA1C,3,20\n", encoding="utf-8")
    (tmp_path / "vaccines.csv").write_text("code,service\n091,epi\n", encoding="utf-8")
    settings = TransformSettings(codes_folder=tmp_path)
    only_claim(make(dm_day(), settings=settings))
    only_claim(make(epi_day(), settings=settings))
    assert read_codes(tmp_path).vaccines["name_th"].tolist() == ["091"]


def test_a_list_not_in_utf8_is_named(tmp_path: Path) -> None:
    text = (FOLDER / "titles.csv").read_text(encoding="utf-8").replace("…", "")
    (tmp_path / "titles.csv").write_bytes(text.encode("cp874"))
    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_codes(tmp_path)


def test_a_limit_that_a_sites_list_does_not_have_is_the_programs(tmp_path: Path) -> None:
    # stopped every run after an update that added a limit
    (tmp_path / "limits.csv").write_text("name,value,valid_from,valid_to,source\ndt_age_years,24,,,ours\n")
    codes = read_codes(tmp_path).on(date(2026, 9, 21))
    assert (codes.limit("dt_age_years"), codes.limit("vaccine_interval_days")) == (24, 28)


def test_a_limit_that_there_is_not_is_refused_with_its_row(tmp_path: Path) -> None:
    settings = _own(tmp_path, "limits", "dt_age_years", "dt_age")
    with pytest.raises(ConfigurationError, match="row 4, column name"):
        make(dt_day(), settings=settings)


def test_a_limit_out_of_force_is_named(tmp_path: Path) -> None:
    settings = _own(tmp_path, "limits", "dt_age_years,25,,", "dt_age_years,25,,2020-01-01")
    with pytest.raises(ConfigurationError, match="no dt_age_years in force"):
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
