"""Where claims go."""

import pytest
from pydantic import ValidationError

from core.errors import ConfigurationError
from load.account_center import log_in
from load.moph_claim_api import MophClaimApi
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


FAR = ["http://claim.example", "HTTP://claim.example", " http://10.0.0.5:8080", "http://127.0.0.1.example"]
FAR += ["http://127.0.0.1@claim.example", "http://localhost.example", "http://0.0.0.0", "http://[::ffff:10.0.0.5]"]


@pytest.mark.parametrize("setting", ["token_url", "api_url"])
@pytest.mark.parametrize("environment", ["uat", "prd"])
@pytest.mark.parametrize("url", FAR)
def test_patients_data_never_go_unencrypted_beyond_this_machine(environment: Environment, setting: str, url: str):
    settings = ApiSettings.model_validate({"environment": environment, setting: url, "username": "u", "password": "p"})
    with pytest.raises(ConfigurationError, match=rf"api\.{setting}.*https"):
        MophClaimApi(settings, 1)
    with pytest.raises(ConfigurationError, match=rf"api\.{setting}.*https"):
        log_in(settings, "10953")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "http://127.9.9.9"]
)
def test_a_proxy_on_this_machine_may_be_called_without_encryption(url: str):
    ApiSettings(environment="prd", api_url=url).refuse_clear_text()
