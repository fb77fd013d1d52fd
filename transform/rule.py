"""Rules and findings: how every module of transform reports what is wrong with a record."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.messages import Message
from transform.claim import KINDS, Issue, Kind, Severity
from transform.text import shown

NOTHING_TO_DO = Message("รายการนี้เคลมไม่ได้ ไม่ต้องดำเนินการ", "It cannot be claimed; nothing needs to be done.")
"""The advice of rules that only explain why a record is not a claim; nobody needs to act on them."""

Mask = NDArray[np.bool_]
"""One flag per candidate."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that a record must fulfil to become a claim, or that should be checked.

    Args:
        code: The rule's name, as subject.finding.
        severity: error blocks the claim, warning does not.
        column: The contract column concerned, as table.column.
        message: What is wrong; may hold `{placeholders}`.
        advice: What to do about it.
        source: Where the rule comes from.
        kinds: The kinds of claim it applies to.
        valid_from: The first service day it applies to; None for no limit.
        valid_to: The last service day it applies to; None for no limit.
        of_code: It is about a code of the HIS or a missing rate and the same for all its records: it is listed once,
            with their count.
        in_workbook: What to do about it for a record in a workbook; None: the same advice, carried out in the workbook.
    """

    code: str
    severity: Severity
    column: str
    message: Message
    advice: Message
    source: str
    kinds: tuple[Kind, ...] = KINDS
    valid_from: date | None = None
    valid_to: date | None = None
    of_code: bool = False
    in_workbook: Message | None = None

    @property
    def calls_for_a_person(self) -> bool:
        """Whether somebody can do something about it."""
        return self.advice != NOTHING_TO_DO

    def holds(self, kind: Kind, day: date) -> bool:
        """Whether the rule applies to a kind of claim on a service day."""
        return (
            kind in self.kinds
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_to is None or day <= self.valid_to)
        )

    def sentence(self, **values: object) -> Message:
        """What is wrong and what to do, with the placeholders filled in."""
        wrong = self.message.fill(**values)
        return Message(f"{wrong.th} {self.advice.th}", f"{wrong.en} {self.advice.en}")


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """The candidates that break a rule.

    Args:
        rule: The rule.
        found: One flag per candidate, in their order.
        values: For the placeholders of the message: one text for all candidates, or one per candidate.
    """

    rule: Rule
    found: Mask
    values: Mapping[str, "str | pd.Series[Any]"] = field(default_factory=dict)

    def at(self, rows: NDArray[np.intp]) -> "Finding":
        """The same finding for the candidates in these rows."""
        values = {name: value if isinstance(value, str) else value.iloc[rows] for name, value in self.values.items()}
        return Finding(self.rule, self.found[rows], values)

    def sentences(self) -> Iterator[tuple[int, Message]]:
        """The position of each candidate found, and its sentence."""
        plain = {} if self.values else {"sentence": self.rule.sentence()}
        for row in np.flatnonzero(self.found).tolist():
            yield row, plain.get("sentence") or self.rule.sentence(**self._filled(row))

    def _filled(self, row: int) -> dict[str, str]:
        return {
            name: value if isinstance(value, str) else shown(value.iloc[row]) for name, value in self.values.items()
        }


def issues(
    candidates: pd.DataFrame, findings: list[Finding], *, kind: Kind, hcode: str, day: date, severity: Severity
) -> Iterator[Issue]:
    """The findings of one severity as issues.

    Args:
        candidates: Columns vn, hn and item; one row per candidate.
        findings: The findings about these candidates.
        kind: The kind of claim.
        hcode: The account's facility.
        day: The service day.
        severity: The severity of the findings wanted.
    """
    vns, hns, items = (candidates[name].fillna("").tolist() for name in ("vn", "hn", "item"))
    for finding in findings:
        rule = finding.rule
        if rule.severity != severity or not rule.holds(kind, day):
            continue
        for row, message in finding.sentences():
            yield Issue(
                hcode, kind, vns[row], hns[row], items[row], day, rule.code, rule.severity, message, rule.column
            )


def errors(findings: list[Finding], *, kind: Kind, day: date, size: int) -> Mask:
    """One flag per candidate: whether it breaks any rule with severity error that applies."""
    blocked = np.zeros(size, dtype=np.bool_)
    for finding in findings:
        if finding.rule.severity == "error" and finding.rule.holds(kind, day):
            blocked |= finding.found
    return blocked
