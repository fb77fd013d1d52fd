"""Where claims go."""

import pytest
from pydantic import ValidationError

from load.settings import ADDRESSES, ApiSettings, AuditSettings, Environment


def test_claims_go_to_the_sandbox_unless_told_otherwise():
    assert ApiSettings().addresses() == ("http://127.0.0.1:8899/token", "http://127.0.0.1:8899")


@pytest.mark.parametrize(
    ("environment", "token", "api"),
    [
        ("uat", "https://fdh.moph.go.th/token", "https://uat-moph-nhso.inet.co.th"),
        ("prd", "https://fdch.moph.go.th/token", "https://claim-nhso.moph.go.th"),
    ],
)
def test_one_setting_chooses_both_addresses_of_the_reference(environment: Environment, token: str, api: str):
    assert ApiSettings(environment=environment).addresses() == (token, api)


def test_each_address_can_be_overridden_alone():
    token, api = ADDRESSES["prd"]
    assert ApiSettings(environment="prd", token_url="https://cvp1.moph.go.th/token").addresses() == (
        "https://cvp1.moph.go.th/token",
        api,
    )
    assert ApiSettings(environment="prd", api_url="https://proxy.example").addresses() == (
        token,
        "https://proxy.example",
    )


def test_a_slash_at_the_end_of_the_base_address_does_no_harm():
    assert ApiSettings(api_url="https://proxy.example/").addresses()[1] == "https://proxy.example"


def test_every_real_address_is_https():
    assert all(url.startswith("https://") for env in ("uat", "prd") for url in ADDRESSES[env])


@pytest.mark.parametrize("wrong", [{"enviroment": "uat"}, {"environment": "production"}, {"attempts": 0}])
def test_a_typo_or_an_impossible_value_is_an_error(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        ApiSettings.model_validate(wrong)


def test_no_secret_shows_in_the_settings():
    api = ApiSettings.model_validate({"password": "pass-word", "secret_key": "se$cret"})
    audit = AuditSettings.model_validate({"url": "postgresql+psycopg://u:pass-word@h/d"})
    shown = repr(api) + str(api) + api.model_dump_json() + repr(audit) + audit.model_dump_json()
    assert "pass-word" not in shown
    assert "se$cret" not in shown
