"""A caller of the sandbox, and payloads of invented people."""

from typing import Any

import requests

from sandbox.account_center import password_hash
from sandbox.process import Sandbox

Payload = dict[str, Any]

MANUAL_LOGIN = {"username": "sandbox", "password": "sandbox-password"}
FIELD_LOGIN = {
    "user": "sandbox",
    "password_hash": password_hash("sandbox$key", "sandbox-password"),
    "hospital_code": "10953",
}


def pid(number: int) -> str:
    """The thirteen-digit identity number that begins with these twelve digits."""
    digits = f"{number:012d}"
    total = sum(int(digit) * (13 - place) for place, digit in enumerate(digits))
    return digits + str((11 - total % 11) % 10)


def person(number: int, *, day: str = "2026-09-21", seq: str | None = None) -> Payload:
    return {
        "seq": seq or f"{number:012d}",
        "hn": f"{number:09d}",
        "pid": pid(100_000_000_000 + number),
        "id_type": "1",
        "title": "นาง",
        "fname": "ตัวอย่าง",
        "lname": "สมมติ",
        "occupa": "เกษตรกร",
        "marriage": "2",
        "dob": "1960-01-31",
        "sex": "2",
        "nation": "099",
        "hcode": "10953",
        "hospital_name": "โรงพยาบาลตัวอย่าง",
        "visit_date_time": f"{day} 08:30",
    }


def dm(number: int = 1, **of_visit: Any) -> Payload:
    payload = person(number, **of_visit)
    dx = {"dx_date_time": payload["visit_date_time"], "icd10": "E119", "dx_type": "1"}
    lab = {"name": "HbA1C", "code": "32401", "lab_result": "7.2"}
    used = {"uuc": "1", "is_used_dm": "1", "is_used_ht": "0"}
    return {**payload, **used, "diagnosis": [dx], "claim_services": [lab]}


def ht(number: int = 1, **of_visit: Any) -> Payload:
    payload = person(number, **of_visit)
    dx = {"dx_date_time": payload["visit_date_time"], "icd10": "I10", "dx_type": "1"}
    labs = [
        {"name": "Creatinine (Cr)", "code": "32202", "lab_result": "0.9"},
        {"name": "Potassium (K)", "code": "32103", "lab_result": "4.1"},
    ]
    used = {"uuc": "1", "is_used_dm": "0", "is_used_ht": "1"}
    return {**payload, **used, "diagnosis": [dx], "claim_services": labs}


def vaccination(number: int = 1, code: str = "043", **of_visit: Any) -> Payload:
    payload = person(number, **of_visit)
    dose = {
        "code": code,
        "lot_number": "LOT-1",
        "dose_quantity": "1",
        "manufacturer": "",
        "expiration_date": "2028-01-31",
        "occurence_date_time": payload["visit_date_time"],
        "site_code": "",
        "route_code": "",
        "license_no": "ว.00000",
        "name": "ผู้ให้ ตัวอย่าง",
        "note": "",
    }
    return {**payload, "vaccine": [dose]}


class Caller:
    """Calls the sandbox as a hospital does."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["User-Agent"] = "hospital/1"

    def log_in(self, body: Payload | None = None) -> requests.Response:
        reply = self.session.post(self.sandbox.token_url, json=body or MANUAL_LOGIN, timeout=300)
        if reply.ok:
            self.session.headers["Authorization"] = f"Bearer {reply.text}"
        return reply

    def submit(self, service: str, payload: Any, timeout: float = 300) -> requests.Response:
        return self._post(f"/api/v1/opd/service-admissions/{service}", payload, timeout)

    def ask(self, kind: str, payload: Payload) -> requests.Response:
        asked = {name: payload[name] for name in ("pid", "id_type", "hcode", "visit_date_time")}
        if "vaccine" in payload:
            asked |= {"vaccine_code": payload["vaccine"][0]["code"], "dob": payload["dob"]}
        return self._post(f"/api/v1/opd/{kind}", asked)

    def status(self, transaction_uid: str) -> requests.Response:
        path = f"/api/v1/opd/service-transactions/{transaction_uid}/status"
        return self.session.get(self.sandbox.api_url + path, timeout=300)

    def _post(self, path: str, body: Any, timeout: float = 300) -> requests.Response:
        return self.session.post(self.sandbox.api_url + path, json=body, timeout=timeout)


def message(reply: requests.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["message"]
