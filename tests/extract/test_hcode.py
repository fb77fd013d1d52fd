"""Which facility the claims are of: the configured code, and the hospital database's."""

import pytest
from small_hospital import settings_for

from core.errors import ConfigurationError
from extract.errors import SourceError
from extract.hcode import check_hcode, resolve_hcode
from extract.source import HisSource

HCODE = "10953"


@pytest.mark.parametrize("configured", ["", HCODE])
def test_the_code_is_the_databases(source: HisSource, configured: str) -> None:
    assert check_hcode(source, configured) == HCODE


def test_another_facilitys_database_is_refused(source: HisSource) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_hcode(source, "99999")
    assert f"belongs to facility {HCODE}, but facility.hcode is 99999: check his.url." in refused.value.message.en
    assert f"ของหน่วยบริการ {HCODE} แต่ตั้ง facility.hcode เป็น 99999" in refused.value.message.th


def test_a_configured_code_is_taken_without_asking() -> None:
    assert resolve_hcode(settings_for("sqlite:////nowhere/his.db"), HCODE) == HCODE


def test_without_a_configured_code_the_database_is_asked(hospital: str) -> None:
    assert resolve_hcode(settings_for(hospital), "") == HCODE
    with pytest.raises(SourceError):
        resolve_hcode(settings_for("sqlite:////nowhere/his.db"), "")
