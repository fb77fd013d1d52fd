"""Times of which an audit holds nothing, because it was restored: what a person accepted with `audit accept-restored`.

A gap is the record of the run that accepted it: its parameters hold the moments. A claim of a gap may have been sent and
accepted without the audit knowing.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from core.clock import BANGKOK
from load.tables import run

FLOW = "accept-restored"


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of which the audit may hold nothing.

    Args:
        since: The last moment that the audit knew of; None where it knew of none.
        until: When a person accepted the audit.
    """

    since: datetime | None
    until: datetime

    def may_hold(self, service_date: date) -> bool:
        """Whether a claim of this day may have been sent in the gap: a claim is sent when its service is over, or later."""
        return service_date <= self.until.astimezone(BANGKOK).date()

    def recorded(self) -> dict[str, str | None]:
        """As the parameters of the run that accepts it."""
        return {"since": self.since.isoformat() if self.since else None, "until": self.until.isoformat()}


def last_gap(connection: Connection, environment: str, hcode: str) -> Gap | None:
    """The gap of a facility that ended last, if it has one."""
    accepted = select(run.c.parameters).where(
        run.c.environment == environment, run.c.hcode == hcode, run.c.flow == FLOW, run.c.state == "completed"
    )
    last = connection.scalar(accepted.order_by(run.c.started_at.desc()).limit(1))
    if last is None:
        return None
    moments = json.loads(last)
    since = moments["since"] and datetime.fromisoformat(moments["since"])
    return Gap(since, datetime.fromisoformat(moments["until"]))


def last_moment(connection: Connection, environment: str, hcode: str) -> datetime | None:
    """When the audit last heard of a facility; None if it never did."""
    of_facility = (run.c.environment == environment, run.c.hcode == hcode)
    moments = connection.execute(select(func.max(run.c.started_at), func.max(run.c.ended_at)).where(*of_facility)).one()
    return max((moment for moment in moments if moment), default=None)
