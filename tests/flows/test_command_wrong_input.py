"""Wrong input through the real command: one clear sentence, exit code 2, never a traceback.

What a wrong HIS or account is told stands in `test_command_doctor.py`.
"""

from functools import partial

import pytest
from command_line import moph_claim
from night_shift import Site


def test_run_without_a_his_says_what_to_set(site: Site) -> None:
    site.set(his__url="")
    assert moph_claim(site.folder, "run").sentence == (
        "The address of the hospital database is not set: set his.url, such as mysql://user:password@host/database."
    )


# Each is a process of its own; what it says is the check's, which other tests try without one.
slow = partial(pytest.param, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--from", "31/10/2026"), "The day 31/10/2026 is not understood: write it in CE, as 2026-10-31."),
        (("--from", "2026-05-12", "--to", "2026-05-11"), "The first day 2026-05-12 is after the last day 2026-05-11:"),
        slow(("--to", "2569-05-11"), "Days lie between 2020-01-01 and today"),
        slow(("--kinds", "dm,hiv"), "The parameter kinds cannot be used: kinds are dm, ht, epi, dt."),
        slow(("--kinds", ","), "Choose at least one kind: dm, ht, epi, dt."),
        (
            ("--send", "all"),
            "The parameter send cannot be used: it is 'new and due', 'only failed' or 'everything again'.",
        ),
        (("--send", "everything again"), "'everything again' is for a dry run only:"),
    ],
    ids=str,
)
def test_run_with_a_value_that_cannot_be_used_says_so_at_once(
    site: Site, words: tuple[str, ...], sentence: str
) -> None:
    assert moph_claim(site.folder, "run", *words).sentence.startswith(sentence)
    assert not (site.folder / "var").exists()


@pytest.mark.parametrize(
    "words",
    [("run", "--chunk-size", "0"), slow(("run", "--concurrency", "many")), slow(("up", "--port", "99999")), ("run", "--frm", "x"), slow(("rn",))],
    ids=" ".join,
)  # fmt: skip
def test_unknown_options_and_numbers_out_of_bounds_exit_2(site: Site, words: tuple[str, ...]) -> None:
    said = moph_claim(site.folder, *words)
    assert said.code == 2
    assert "Traceback" not in said.out + said.err
    assert words[-1] in said.err or words[-2] in said.err


def test_unknown_setting_in_the_file_is_named_with_the_one_meant(site: Site) -> None:
    site.set(his__ulr="x")
    assert (
        moph_claim(site.folder, "status").sentence
        == "ไม่มีการตั้งค่าชื่อ his.ulr หมายถึง his.url หรือไม่ / There is no setting his.ulr; did you mean his.url?"
    )


def test_unknown_setting_in_dot_env_is_named(site: Site) -> None:
    site.write(MOPH_CLAIM_API__PASWORD="hidden-from-view")
    sentence = moph_claim(site.folder, "status").sentence
    assert "There is no setting api.pasword; did you mean api.password?" in sentence
    assert "hidden-from-view" not in sentence


@pytest.mark.parametrize("name", ["MOPH_CLAIM_LANGAUGE", "MOPH_CLAIM_API__PASWORD", "MOPH_CLAIM_AUDITS__URL"])
def test_unknown_setting_in_the_environment_is_named(site: Site, name: str) -> None:
    sentence = moph_claim(site.folder, "status", **{name: "hidden-from-view"}).sentence
    assert f"There is no setting {name}; did you mean MOPH_CLAIM_" in sentence
    assert "hidden-from-view" not in sentence


def test_variables_of_others_in_dot_env_are_left_alone(site: Site) -> None:
    site.write(TZ="Asia/Bangkok", PREFECT_API_URL="http://127.0.0.1:4200/api")
    assert moph_claim(site.folder, "config").code == 0


def test_prefix_mistyped_in_dot_env_is_an_error(site: Site) -> None:
    site.write(MOPHCLAIM_LANGUAGE="en")
    assert "There is no setting mophclaim_language" in moph_claim(site.folder, "config").sentence


@pytest.mark.parametrize(
    ("key", "value"),
    [("api__environment", "production"), slow("language", "fr"), slow("facility__hcode", "1234"), ("api__attempts", "hidden-from-view"), slow("his__url", 7), slow("audit__lease_seconds", 0)],
    ids=str,
)  # fmt: skip
def test_value_that_cannot_be_used_is_named_by_its_key(site: Site, key: str, value: object) -> None:
    site.set(**{key: value})
    sentence = moph_claim(site.folder, "status").sentence
    assert f"The value of {key.replace('__', '.')} cannot be used: see docs/settings.md for what can." in sentence
    assert "hidden-from-view" not in sentence


def test_malformed_settings_file_is_named_with_the_place(site: Site) -> None:
    site.config.write_text('[his\nurl = "hidden-from-view"\n', encoding="utf-8")
    sentence = moph_claim(site.folder, "status").sentence
    assert "The settings file moph-claim.toml cannot be read (" in sentence
    assert "line 1" in sentence
    assert "hidden-from-view" not in sentence


def test_settings_file_that_is_not_utf_8_is_named(site: Site) -> None:
    site.config.write_bytes('language = "ไทย"'.encode("tis-620"))
    assert "The settings file moph-claim.toml cannot be read" in moph_claim(site.folder, "status").sentence


def test_missing_settings_file_is_named(site: Site) -> None:
    sentence = moph_claim(site.folder, "status", MOPH_CLAIM_CONFIG="/nowhere/moph-claim.toml").sentence
    assert "The settings file /nowhere/moph-claim.toml is not there: check MOPH_CLAIM_CONFIG." in sentence


@pytest.mark.parametrize("words", [("run",), ("status",), ("issues",)], ids=" ".join)
def test_unwritable_audit_is_named(site: Site, words: tuple[str, ...]) -> None:
    (site.folder / "var").write_text("a file where the folder should be")
    sentence = moph_claim(site.folder, *words).sentence
    assert str(site.folder / "var") in sentence
    assert "File exists" in sentence or "Not a directory" in sentence


def test_audit_address_that_is_none_is_named_without_its_words(site: Site) -> None:
    site.write(MOPH_CLAIM_AUDIT__URL="hidden-from-view://")
    sentence = moph_claim(site.folder, "status").sentence
    assert sentence.startswith("The address of the audit database (audit.url) is malformed:")
    assert "hidden-from-view" not in sentence


def test_thai_is_spoken_where_thai_is_set(site: Site) -> None:
    site.set(language="th")
    assert moph_claim(site.folder, "run", "--kinds", "x").sentence == "พารามิเตอร์ kinds ใช้ไม่ได้ ใช้ dm, ht, epi, dt"
