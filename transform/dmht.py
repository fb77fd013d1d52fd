"""What dm and ht share: candidates by right, diagnosis and lab results, and their payload."""

from collections.abc import Callable
from typing import Any, Literal

import pandas as pd

from transform import diagnoses
from transform.labs import with_readings
from transform.labs_of_day import results_elsewhere, with_results_of_day
from transform.payload import DmhtPayload, LabService, Payload
from transform.service_day import ServiceDay, has_diagnosis, right_qualifies
from transform.visits import visit_fields

DmOrHt = Literal["dm", "ht"]


def dmht_candidates(day: ServiceDay, kind: DmOrHt) -> pd.DataFrame:
    """Visits whose right and diagnosis qualify and that have a result of one of the kind's labs, usable or not.

    Those that lack a result of the person's other visit of the day are left out, or have it, by the setting.
    """
    of_kind, rates = day.codes.labs[kind], day.codes.rates
    visits = day.visits[right_qualifies(day, kind) & has_diagnosis(day, kind)]
    labs = day.labs
    if day.settings.labs_of_day:
        labs = with_results_of_day(day, kind)
    else:
        visits = visits[~visits["vn"].isin(results_elsewhere(day, kind)["vn"])]
    visits = with_readings(visits, labs, of_kind).reset_index(drop=True)
    baht = pd.Series(0.0, index=visits.index)
    for lab in of_kind:
        # A missing rate makes the sum missing; a rule reports that.
        baht += visits[f"number_{lab.code}"].notna() * rates.get(lab.code, 0)
        baht = baht.mask(visits[f"number_{lab.code}"].notna() & (lab.code not in rates))
    return visits.assign(item="", baht=baht)


def dmht_payloads(day: ServiceDay, sendable: pd.DataFrame, kind: DmOrHt) -> Callable[[Any], Payload]:
    """A function that makes the payload of one of the candidates."""
    of_kind, payload_diagnoses = day.codes.labs[kind], diagnoses.payload_diagnoses(day.diagnoses, sendable)

    def payload(row: Any) -> Payload:
        numbers = ((lab, getattr(row, f"number_{lab.code}")) for lab in of_kind)
        services = tuple(
            LabService.model_validate({"name": lab.name, "code": lab.code, "lab_result": number})
            for lab, number in numbers
            if isinstance(number, str)
        )
        return DmhtPayload.model_validate(
            visit_fields(row, day.hcode)
            | {
                "uuc": "1",
                "is_used_dm": "1" if kind == "dm" else "0",
                "is_used_ht": "1" if kind == "ht" else "0",
                "diagnosis": payload_diagnoses.get(row.vn, ()),
                "claim_services": services,
            },
            context={"lab_codes": [lab.code for lab in of_kind]},
        )

    return payload
