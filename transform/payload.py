"""The payload contract of MOPH Claim as models, and a payload as canonical bytes.

All scalars are strings; days are YYYY-MM-DD and times YYYY-MM-DD HH:mm in Bangkok, in Gregorian years. The same payload
always gives the same bytes: fields in the order of the models, compact JSON, UTF-8, optional fields without a value
left out.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator

from transform.claim import Service

CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
# 18xx to 21xx, so that a Buddhist year (24xx, 25xx) is refused.
DAY = "(18|19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"

Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")]
TextOrEmpty = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$")]
Day = Annotated[str, StringConstraints(pattern=f"^{DAY}$")]
Minute = Annotated[str, StringConstraints(pattern=f"^{DAY} {CLOCK}$")]
Icd10 = Annotated[str, StringConstraints(pattern="^[A-Z][0-9][0-9A-Z]{1,5}$")]
Pid = Annotated[str, StringConstraints(pattern="^[0-9]{13}$")]
Number = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$")]
Count = Annotated[str, StringConstraints(pattern="^[1-9][0-9]?$")]


class PayloadModel(BaseModel):
    """The base of all payload models: frozen, without unknown fields, and never printing its values."""

    # Validation errors may be logged, so they must not contain the refused values.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__


class Diagnosis(PayloadModel):
    """One diagnosis of the visit, the real code without a dot."""

    dx_date_time: Minute
    icd10: Icd10
    dx_type: Literal["1", "2", "3", "4", "5"]


class LabService(PayloadModel):
    """One lab result that is claimed."""

    name: Text
    code: Text
    lab_result: Number


class Vaccine(PayloadModel):
    """One dose; `occurence_date_time` is spelt as the API spells it."""

    code: Text
    lot_number: Text
    dose_quantity: Number
    manufacturer: TextOrEmpty
    expiration_date: Day
    occurence_date_time: Minute
    site_code: TextOrEmpty
    route_code: TextOrEmpty
    license_no: Text
    name: Text
    note: TextOrEmpty


class Prenatal(PayloadModel):
    """The pregnancy in which aP (P41) was given: its number and its week."""

    gravida: Count
    ga_week: Count


class Payload(PayloadModel):
    """The fields about the visit and the person, which every payload has."""

    seq: Text
    hn: Text
    pid: Pid
    id_type: Literal["1"]
    title: TextOrEmpty
    fname: Text
    lname: Text
    occupa: TextOrEmpty
    marriage: Literal["1", "2", "3", "4", "5", "6", "9"]
    dob: Day
    sex: Literal["1", "2"]
    nation: Annotated[str, StringConstraints(pattern="^[0-9]{3}$")]
    hcode: Annotated[str, StringConstraints(pattern="^[0-9]{5}$")]
    hospital_name: Text
    visit_date_time: Minute

    def canonical(self) -> bytes:
        """The payload as it is sent and hashed: compact JSON in UTF-8."""
        return self.model_dump_json(exclude_none=True).encode()


class DmhtPayload(Payload):
    """A dm or ht claim: which of the two, the visit's diagnoses, the lab results."""

    uuc: Literal["1"]
    is_used_dm: Literal["0", "1"]
    is_used_ht: Literal["0", "1"]
    diagnosis: Annotated[tuple[Diagnosis, ...], Field(min_length=1)]
    claim_services: Annotated[tuple[LabService, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_one_kind(self, info: ValidationInfo) -> Self:
        # The validation context says which lab codes are of this kind on the service day: a list, not a constant.
        codes = [service.code for service in self.claim_services]
        of_kind = (info.context or {}).get("lab_codes", codes)
        once = len(set(codes)) == len(codes)
        if self.is_used_dm == self.is_used_ht or not once or not set(of_kind).issuperset(codes):
            raise ValueError("a claim is for dm or ht, with at least one diagnosis and lab results of that kind")
        return self


class DtPayload(Payload):
    """A dT claim: exactly one dose, and the visit's diagnoses if it has any."""

    vaccine: tuple[Vaccine]
    diagnosis: tuple[Diagnosis, ...] | None = None


class EpiPayload(DtPayload):
    """An EPI claim: exactly one dose, the visit's diagnoses if it has any, and with aP (P41) the pregnancy."""

    prenatal: Prenatal | None = None

    @model_validator(mode="after")
    def _prenatal_goes_with_p41(self) -> Self:
        if self.prenatal is not None and self.vaccine[0].code != PRENATAL_CODE:
            raise ValueError("prenatal goes with P41 only")
        return self


PRENATAL_CODE = "P41"
PAYLOADS: dict[Service, type[Payload]] = {"dmht": DmhtPayload, "epi": EpiPayload, "dt": DtPayload}


def json_schema(service: Service) -> dict[str, Any]:
    """The JSON Schema of a service's payload."""
    return PAYLOADS[service].model_json_schema()
