"""The fields of a vaccine dose in EPI and dT payloads."""

from typing import Any

from core.mojibake import MOJIBAKE
from transform.payload import Diagnosis, Vaccine
from transform.settings import TransformSettings
from transform.visits import visit_fields


def vaccine_fields(
    row: Any, hcode: str, settings: TransformSettings, diagnoses: dict[str, tuple[Diagnosis, ...]]
) -> dict[str, Any]:
    """The fields of `DtPayload` of one dose (a named tuple of its columns).

    Args:
        row: The dose.
        hcode: The account's facility.
        settings: Has the values of undocumented fields.
        diagnoses: The diagnoses by visit; a visit without any has no such field.
    """
    dose = {
        "code": row.item,
        "lot_number": row.lot_number,
        "dose_quantity": settings.dose_quantity,
        "manufacturer": _readable(row.manufacturer),
        "expiration_date": row.expiry_text,
        "occurence_date_time": row.given_minute,
        "site_code": settings.site_code,
        "route_code": settings.route_code,
        "license_no": row.license_no,
        "name": row.provider_name,
        "note": "",
    }
    return visit_fields(row, hcode) | {"vaccine": (Vaccine.model_validate(dose),), "diagnosis": diagnoses.get(row.vn)}


def _readable(text: object) -> str:
    return text if isinstance(text, str) and not MOJIBAKE.search(text) else ""
