"""Several facilities in one configuration: what each gets, how its variables are spelt, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from flows.cli.scope import settings_in_scope
from flows.service.deployments import deployments, write_timetable
from flows.settings.model import Settings
from flows.settings.read import in_force, read_settings

TWO = """
data_folder = "data"
language = "en"

[facility]
name = "รพ.สต.ตัวอย่าง"

[api]
environment = "uat"
attempts = 2
username = "of-all"

[facilities.hospital.his]
url = "mysql://reader@10.0.0.5/hos"

[facilities.hospital.api]
username = "officer"

[facilities.health-centre.facility]
hcode = "01234"

[facilities.health-centre.inbox]
folder = "/srv/share/centre"
"""
Read = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """The settings of a file and its `.env`, further variables in the environment."""

    def read(toml: str = TWO, env: str = "", **variables: str) -> Settings:
        (tmp_path / "moph-claim.toml").write_text(toml, encoding="utf-8")
        (tmp_path / ".env").write_text(env, encoding="utf-8")
        monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(tmp_path / "moph-claim.toml"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return read_settings()

    return read


def refused(read: Read, toml: str = TWO, env: str = "", **variables: str) -> str:
    """The sentence that says why."""
    with pytest.raises(ConfigurationError) as error:
        read(toml, env, **variables)
    return error.value.message.en


def test_a_facility_has_its_own_over_what_is_said_for_all(read: Read) -> None:
    hospital, centre = read().of("hospital"), read().of("health-centre")
    assert (hospital.api.username, centre.api.username) == ("officer", "of-all")
    assert [(s.api.environment, s.api.attempts) for s in (hospital, centre)] == [("uat", 2)] * 2
    assert (centre.facility.hcode, centre.facility.name) == ("01234", "รพ.สต.ตัวอย่าง")
    assert hospital.his.url.get_secret_value() == "mysql://reader@10.0.0.5/hos"
    assert centre.his.url.get_secret_value() == ""


def test_audit_language_and_data_folder_are_shared_reports_and_inboxes_are_not(read: Read, tmp_path: Path) -> None:
    settings = read()
    hospital, centre = settings.each()
    assert {s.audit_url() for s in (settings, hospital, centre)} == {f"sqlite:///{tmp_path}/data/audit.sqlite"}
    assert {s.language for s in (settings, hospital, centre)} == {"en"}
    assert hospital.inbox_folder() == tmp_path / "data" / "inbox" / "hospital"
    assert centre.inbox_folder() == Path("/srv/share/centre")
    assert hospital.reports_folder() == tmp_path / "data" / "reports" / "hospital"


def test_without_the_table_settings_are_those_of_the_one_facility(read: Read) -> None:
    settings = read('[facility]\nhcode = "10953"\n')
    assert settings.of() is settings
    assert settings.each() == [settings]
    assert (settings.facility_key, settings.reports_folder().name) == ("", "reports")
    assert settings_in_scope(settings, "") is settings


@pytest.mark.parametrize("source", ["env", "environment"])
def test_a_secret_is_set_by_a_variable_and_a_dash_is_an_underscore_in_it(read: Read, source: str) -> None:
    secrets = {
        "MOPH_CLAIM_FACILITIES__HOSPITAL__API__PASSWORD": "one",
        "MOPH_CLAIM_FACILITIES__HEALTH_CENTRE__API__SECRET_KEY": "two$2",
    }
    lines = "".join(f"{name}='{value}'\n" for name, value in secrets.items())
    settings = read(TWO, lines) if source == "env" else read(TWO, **secrets)
    hospital, centre = settings.each()
    assert hospital.api.password.get_secret_value() == "one"
    assert centre.api.secret_key is not None
    assert centre.api.secret_key.get_secret_value() == "two$2"
    assert list(settings.facilities) == ["hospital", "health-centre"]
    assert "two$2" not in repr(settings) + repr(centre) + str(dict(in_force(settings)))


def test_the_environment_wins_over_dot_env_and_that_over_the_file(read: Read) -> None:
    name = "MOPH_CLAIM_FACILITIES__HOSPITAL__API__USERNAME"
    assert read(TWO, f"{name}=dot-env\n").of("hospital").api.username == "dot-env"
    assert read(TWO, f"{name}=dot-env\n", **{name: "environment"}).of("hospital").api.username == "environment"


def test_config_shows_what_each_facility_has_for_itself_and_no_more(read: Read) -> None:
    shown = [key for key, _ in in_force(read()) if key.startswith("facilities.")]
    assert shown == [
        "facilities.hospital.his.url",
        "facilities.hospital.api.username",
        "facilities.health-centre.facility.hcode",
        "facilities.health-centre.inbox.folder",
    ]


@pytest.mark.parametrize(
    ("toml", "key", "meant"),
    [
        ('[facilities.hospital.api]\npasword = "x"', "facilities.hospital.api.pasword", "facilities.hospital.api.password"),
        ('[facilities.hospital]\nhcode = "10953"', "facilities.hospital.hcode", "facilities.hospital.facility.hcode"),
        ('[facilitys.hospital.api]\nusername = "x"', "facilitys", "facility.name"),
    ],
)  # fmt: skip
def test_a_key_mistyped_in_the_file_is_named_with_the_one_meant(read: Read, toml: str, key: str, meant: str) -> None:
    assert refused(read, toml) == f"There is no setting {key}; did you mean {meant}?"


@pytest.mark.parametrize("source", ["env", "environment"])
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MOPH_CLAIM_FACILITIES__HOSPTIAL__API__PASSWORD", "MOPH_CLAIM_FACILITIES__HOSPITAL__API__PASSWORD"),
        ("MOPH_CLAIM_FACILITIES__HEALTH_CENTRE__API__PASWORD", "MOPH_CLAIM_FACILITIES__HEALTH_CENTRE__API__PASSWORD"),
        ("MOPH_CLAIM_FACILITIES__HEALTH__CENTRE__HIS__URL", "MOPH_CLAIM_FACILITIES__HEALTH_CENTRE__HIS__URL"),
    ],
)
def test_a_variable_mistyped_is_named_with_the_one_meant(read: Read, source: str, name: str, meant: str) -> None:
    said = refused(read, TWO, f"{name}=hidden\n") if source == "env" else refused(read, TWO, **{name: "hidden"})
    assert said == f"There is no setting {name}; did you mean {meant}?"


@pytest.mark.parametrize("name", ["Hospital", "a__b", "-a", "a_", "a b", '"ก"', '""', "a.b"])
def test_a_name_that_no_variable_can_bear_is_refused(read: Read, name: str) -> None:
    quoted = f'"{name}"' if {" ", "."} & set(name) else name
    assert "cannot be used" in refused(read, f"[facilities.{quoted}.facility]\n")


def test_a_value_that_cannot_be_used_is_named_by_its_key(read: Read) -> None:
    said = refused(read, '[facilities.hospital.facility]\nhcode = "hidden"\n')
    assert said.startswith("The value of facilities.hospital.facility.hcode cannot be used")


def test_names_that_variables_cannot_tell_apart_are_refused(read: Read) -> None:
    assert refused(read, "[facilities.a-b]\n[facilities.a_b]\n") == (
        "The facilities a-b and a_b are spelt alike in the names of variables: give one of them another name."
    )


@pytest.mark.parametrize(
    "toml",
    [
        '[facilities.a.facility]\nhcode = "10953"\n[facilities.b.facility]\nhcode = "10953"\n',
        '[facility]\nhcode = "10953"\n[facilities.a]\n[facilities.b]\n',
    ],
    ids=["own", "of all"],
)
def test_two_facilities_of_one_hcode_are_refused(read: Read, toml: str) -> None:
    assert refused(read, toml).startswith(
        "The facilities a and b have the same hcode 10953 in the environment sandbox:"
    )


def test_one_hcode_in_two_environments_is_two_facilities(read: Read) -> None:
    settings = read('[facility]\nhcode = "10953"\n[facilities.a.api]\nenvironment = "prd"\n[facilities.b]\n')
    assert [(s.facility.hcode, s.api.environment) for s in settings.each()] == [("10953", "prd"), ("10953", "sandbox")]
    with pytest.raises(
        ConfigurationError, match=r"different environments \(prd, sandbox\), name one \(--facility\): a, b"
    ):
        settings_in_scope(settings, "")
    assert settings_in_scope(settings, "a").api.environment == "prd"


@pytest.mark.parametrize("other", ["/srv/inbox", "/srv/inbox/b"])
def test_two_facilities_that_look_into_one_inbox_are_refused(read: Read, other: str) -> None:
    toml = f'[facilities.a.inbox]\nfolder = "/srv/inbox"\n[facilities.b.inbox]\nfolder = "{other}"\n'
    assert refused(read, toml).startswith("The inboxes of the facilities a and b are the same folder")


@pytest.mark.parametrize(
    ("facility", "sentence"),
    [
        ("", "The configuration has several facilities, name one (--facility): hospital, health-centre."),
        ("hosptal", "There is no facility hosptal; the configuration has hospital, health-centre."),
        (["hospital"], "There is no facility ['hospital']; the configuration has hospital, health-centre."),
    ],
)
def test_a_facility_that_is_not_there_is_a_sentence_with_those_that_are(
    read: Read, facility: str, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        read().of(facility)
    assert error.value.message.en == sentence


def test_a_table_of_one_needs_no_name(read: Read) -> None:
    assert read('[facilities.only.api]\nusername = "x"\n').of().api.username == "x"


def test_a_name_where_there_is_no_table_is_a_sentence(read: Read) -> None:
    with pytest.raises(ConfigurationError, match="the configuration has one facility only, name none"):
        read("").of("hospital")


def test_all_facilities_are_looked_at_whatever_hcode_is_set_for_all(read: Read) -> None:
    settings = read('[facility]\nhcode = "10953"\n[facilities.a]\n[facilities.b.facility]\nhcode = "01234"\n')
    assert [settings_in_scope(settings, name).facility.hcode for name in ("", "a", "b")] == ["", "10953", "01234"]


def test_every_facility_has_the_whole_timetable_of_prefect_yaml(read: Read) -> None:
    of_one, of_two = deployments(read("")), deployments(read())
    assert [(d["name"], d["parameters"]) for d in of_one] == [("nightly", {}), ("reconcile", {}), ("inbox", {})]
    assert [d["name"] for d in of_two] == [
        f"{name}-{facility}" for facility in ("hospital", "health-centre") for name in ("nightly", "reconcile", "inbox")
    ]
    for made, template in zip(of_two, of_one * 2, strict=True):
        assert made["parameters"] == {"facility": made["name"].partition("-")[2]}
        differs = {key for key in made if made[key] != template[key]}
        assert differs == {"name", "description", "tags", "parameters"}


def test_with_one_facility_prefect_yaml_itself_is_deployed(read: Read) -> None:
    assert write_timetable(read("")).name == "prefect.yaml"
