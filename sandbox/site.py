"""The state of a running stand-in, and what each call does to it."""

import json
import random
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from sandbox.account_center import OTHER_HOSPITAL, LoginRefused, Logins, account_of, log_in
from sandbox.faults import Faults
from sandbox.ledger import AcceptedClaim, Ledger, item_of, refusal
from sandbox.payloads import invalid_enquiry_fields, invalid_fields, kind_of
from sandbox.replies import Envelope, envelope
from sandbox.world import Account, World

LIBRARY_AGENTS = ("python-requests/", "python-urllib", "python-httpx/", "go-http-client", "java/", "okhttp/")

REFUSED_TH = {
    "don't have authen_code": "ไม่พบรหัสยืนยันการปิดสิทธิ",
    "patient not new ht": "ผู้ป่วยไม่ใช่ผู้ป่วยความดันโลหิตสูงรายใหม่",
    "dm patient received service less than 3 months": "ผู้ป่วยเบาหวานรับบริการห่างจากครั้งก่อนไม่ถึง 3 เดือน",
}


@dataclass(slots=True)
class Statistics:
    """Counts so far: replies by endpoint, faults by kind, callers, and requests in flight at the same time."""

    answers: dict[str, Counter[str]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    clients: set[tuple[str, int]] = field(default_factory=set)
    in_flight: int = 0
    most_in_flight: int = 0

    def count(self, endpoint: str, reply: Response) -> None:
        """Count an answer."""
        message = reply.message if isinstance(reply, Envelope) else ""
        self.answers.setdefault(endpoint, Counter())[f"{reply.status_code} {message}".rstrip()] += 1


class Site:
    """The whole state of the stand-in. No call awaits anything, so each is atomic."""

    def __init__(self, world: World) -> None:
        self.first_world = self.world = world
        self.logins = Logins()
        self.faults = Faults()
        self.faults.replace(world.faults, world.seed)
        self.jitter = random.Random(world.seed)
        self.statistics = Statistics()
        self.ledger = Ledger(Path(world.journal) if world.journal else None)

    def change(self, changes: dict[str, Any]) -> None:
        """Change settings while the site runs; the counts of new faults begin at zero."""
        self.world = World.model_validate(self.world.model_dump() | changes)
        if "faults" in changes:
            self.faults.replace(self.world.faults, self.world.seed)

    def reset(self) -> None:
        """Forget all claims, tokens, faults and changes; the world is as at the start."""
        self.world = self.first_world
        self.logins = Logins()
        self.statistics = Statistics(in_flight=self.statistics.in_flight)
        self.faults.replace(self.world.faults, self.world.seed)
        self.ledger.wipe()

    def suspend_accounts(self) -> None:
        """Suspend every account; its tokens become useless."""
        accounts = [account.model_dump() | {"fault": "suspended"} for account in self.world.accounts]
        self.change({"accounts": accounts})

    def delay_seconds(self) -> float:
        """Latency of a request."""
        return (self.world.latency_ms + self.jitter.random() * self.world.jitter_ms) / 1000

    # The endpoints: each gets the request and its body and returns the reply.

    def token(self, _request: Request, body: bytes) -> Response:
        """POST /token: the JWT or a refusal, in the form that the world sets."""
        try:
            token = log_in(self.world, self.logins, body)
        except LoginRefused as refused:
            return self._login_refusal(str(refused))
        form = self.world.login_answer
        cookie = {"Set-Cookie": "SERVERID=sandbox; path=/; HttpOnly"}
        if form == "bare":
            return PlainTextResponse(token, headers=cookie)
        return JSONResponse(token if form == "quoted" else {form: token}, headers=cookie)

    def submit(self, service: str, request: Request, body: bytes) -> Response:
        """POST …/service-admissions/{service}: accept the claim or refuse it with a reason."""
        account = self._account(request)
        if isinstance(account, Envelope):
            return account
        payload = _json(request, body)
        wrong = invalid_fields(payload, service)
        if wrong:
            return self._invalid(wrong)
        if payload["hcode"] != _hospital(account):
            return self._unauthorised("invalid hospital_code")
        return self._decide(payload, kind_of(payload, service), body)

    def _decide(self, payload: dict[str, Any], kind: str, body: bytes) -> Response:
        key = (payload["hcode"], kind, payload["seq"], item_of(payload))
        self.ledger.received[key] += 1
        before = self.ledger.of_person(payload["pid"], kind, key[3])
        same = [claim for claim in before if claim.key == key]
        if same and self.world.second_submission == "same_uid":
            return self._success({"transaction_uid": same[0].transaction_uid})
        if not (same and self.world.second_submission == "taken_again"):
            if self._not_closed(payload["seq"]):
                return self._refused("don't have authen_code")
            reason = refusal(before, kind, date.fromisoformat(payload["visit_date_time"][:10]), payload["seq"])
            if reason:
                return self._refused(reason)
        accepted = self.ledger.accept(payload, kind, body)
        every = self.world.tokens_expire_after_claims
        if every and len(self.ledger.accepted) % every == 0:
            self.logins.expire_all()
        return self._success({"transaction_uid": accepted.transaction_uid})

    def eligibility(self, kind: str, request: Request, body: bytes) -> Response:
        """POST /api/v1/opd/{kind}: whether this person's claim would be accepted."""
        account = self._account(request)
        if isinstance(account, Envelope):
            return account
        enquiry = _json(request, body)
        wrong = invalid_enquiry_fields(enquiry, kind)
        if wrong:
            return self._invalid(wrong)
        if enquiry["hcode"] != _hospital(account):
            return self._unauthorised("invalid hospital_code")
        before = self.ledger.of_person(enquiry["pid"], kind, enquiry.get("vaccine_code", ""))
        reason = refusal(before, kind, date.fromisoformat(enquiry["visit_date_time"][:10]), None)
        same = (claim for claim in before if claim.visit_date_time == enquiry["visit_date_time"])
        data = self._eligibility_data(next(same, None))
        refused = reason and self.world.eligibility_of_taken == "refused"
        return self._refused(reason or "", data) if refused else self._success(data or {})

    def status(self, request: Request, _body: bytes) -> Response:
        """GET …/service-transactions/{transaction_uid}/status."""
        account = self._account(request)
        if isinstance(account, Envelope):
            return account
        claim = self.ledger.of_uid(request.path_params["transaction_uid"])
        if claim is None or claim.hcode != _hospital(account):
            return self._envelope(404, "not found", "ไม่พบรายการ", http_status=404)
        return self._success(
            {
                "transaction_uid": claim.transaction_uid,
                "pid": claim.pid,
                "status": self.world.transaction_status,
                "status_th": self.world.transaction_status_th,
            }
        )

    def front_end_refuses(self, request: Request) -> bool:
        """Whether the front end refuses the request for its User-Agent."""
        agent = request.headers.get("user-agent", "").lower()
        return self.world.refuse_library_user_agents and (not agent or agent.startswith(LIBRARY_AGENTS))

    # Building the replies.

    def _account(self, request: Request) -> Account | Envelope:
        account = account_of(self.world, self.logins, request.headers.get("authorization", ""))
        if isinstance(account, str):
            return self._unauthorised(account)
        if account.fault in ("not_activated", "suspended"):
            return self._envelope(403, "permission denied", "ไม่มีสิทธิใช้งาน", http_status=403)
        return self._unauthorised("invalid scope") if account.fault == "scope_missing" else account

    def _not_closed(self, seq: str) -> bool:
        share = self.world.no_closing_code_share
        return seq in self.world.no_closing_code_visits or (share > 0 and zlib.crc32(seq.encode()) / 2**32 < share)

    def _eligibility_data(self, same: AcceptedClaim | None) -> dict[str, Any] | None:
        if self.world.eligibility_uid == "always" or (self.world.eligibility_uid == "when_taken" and same):
            return {"transaction_uid": same.transaction_uid if same else str(uuid4())}
        return None

    def _login_refusal(self, text: str) -> Response:
        form, status = self.world.login_refusal, self.world.login_refusal_status
        if form == "text":
            return PlainTextResponse(text, status)
        if form == "html":
            return HTMLResponse(f"<!DOCTYPE html><html><body><h1>{status}</h1><p>{text}</p></body></html>", status)
        return JSONResponse({form: text}, status)

    def _success(self, data: dict[str, Any]) -> Envelope:
        return self._envelope(200, "success", "สำเร็จ", data, http_status=200)

    def _refused(self, reason: str, data: dict[str, Any] | None = None) -> Envelope:
        text = REFUSED_TH.get(reason, "ผู้ป่วยไม่สามารถเบิกได้")
        return self._envelope(400, reason, text, data, http_status=self.world.refusal_http_status)

    def _invalid(self, wrong: list[str]) -> Envelope:
        named = sorted(set(wrong)) if self.world.name_invalid_fields else []
        text = f"ข้อมูลไม่ถูกต้อง: {', '.join(named)}" if named else "ข้อมูลไม่ถูกต้อง"
        status = self.world.refusal_http_status
        return self._envelope(400, "invalid request body", text, http_status=status, errors=named)

    def _unauthorised(self, message: str) -> Envelope:
        return self._envelope(401, message, "ไม่ได้รับอนุญาต กรุณาเข้าสู่ระบบใหม่", http_status=401)

    def _envelope(
        self,
        status: int,
        message: str,
        message_th: str,
        data: dict[str, Any] | None = None,
        *,
        http_status: int,
        errors: list[str] | None = None,
    ) -> Envelope:
        form = self.world.status_form
        return envelope(status, message, message_th, data, http_status=http_status, form=form, errors=errors)


def _hospital(account: Account) -> str:
    return OTHER_HOSPITAL if account.fault == "other_hospital" else account.hospital_code


def _json(request: Request, body: bytes) -> Any:
    """The body as JSON; None, which every check refuses, if it is not JSON or not declared as JSON."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None
