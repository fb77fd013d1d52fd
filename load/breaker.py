"""When nothing may be sent: for a while, because MOPH Claim is down, or not any more in this run."""

import threading
import time
from collections.abc import Callable

from core.errors import MophClaimError
from core.messages import Message
from load.errors import StopRun
from load.outcomes import Outcome
from load.settings import ApiSettings

_PAUSED = Message(
    "MOPH Claim ไม่ตอบหรือขัดข้องติดต่อกัน {failures} ครั้ง จึงพักการส่ง {seconds:g} วินาที แล้วจะลองใหม่เองทีละรายการ",
    "MOPH Claim failed {failures} times in a row: sending pauses for {seconds:g} seconds, then one claim at a time tries "
    "again by itself.",
)
_GOES_ON = Message("MOPH Claim ตอบแล้ว จึงส่งต่อ", "MOPH Claim answers again: sending goes on.")
_API_DOWN = Message(
    "MOPH Claim ไม่ตอบหรือขัดข้อง พักการส่งและลองใหม่แล้ว {probes} ครั้งก็ยังไม่ได้ จึงหยุดส่ง รายการที่เหลือจะส่งในรอบถัดไปเอง",
    "MOPH Claim is down: it failed {failures} times in a row, the last {probes} of them after a pause each, so nothing "
    "more is sent; the rest goes in the next run by itself.",
)

_FAILURES = (Outcome.RETRY, Outcome.IN_DOUBT)


class StopSignal:
    """The run's emergency brake: the first reason to stop counts, and every sending thread sees it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()  # who waits for more than the brake waits on this too
        self.reason: MophClaimError | None = None
        self._pulled = False

    def stop(self, reason: MophClaimError | None) -> None:
        """Stop sending; None stops without a reason of its own (the caller has one)."""
        with self.changed:
            if not self._pulled:
                self.reason = reason
                self._pulled = True
                self.changed.notify_all()

    def stopped(self) -> bool:
        """Whether sending has stopped."""
        return self._pulled

    def wait(self, seconds: float) -> None:
        """Pause, but no longer than until the brake is pulled."""
        with self.changed:
            self.changed.wait_for(self.stopped, seconds)


class Breaker:
    """The circuit breaker of all sending threads: too many failures in a row, and nothing is sent for a while.

    After the pause one claim goes as a probe, and all others wait for its answer. An answer lets all go on; a failure
    is followed by another pause, and too many failed probes in a row pull the brake. A claim asks for leave before it
    goes, and brings back the outcome. A leave is the number of pauses there were before it was given: once sending has
    paused again, it is void, and a failure of what was under way by then says nothing new.

    Args:
        settings: How many failures, how long a pause, how many probes.
        halt: The run's brake.
        tell: Told when sending pauses and when it goes on; called from a sending thread.
    """

    def __init__(self, settings: ApiSettings, halt: StopSignal, tell: Callable[[Message], None]) -> None:
        self._settings = settings
        self._halt = halt
        self._tell = tell
        self._changed = halt.changed  # guards what follows
        self._failures = 0
        self._failed_probes = 0
        self._pauses = 0
        self._paused_until: float | None = None  # while it is open; monotonic seconds
        self._probing = False

    def acquire(self) -> int | None:
        """Leave to send one claim, waited for as long as sending pauses; None once the brake is pulled."""
        with self._changed:
            while not self._halt.stopped():
                if self._paused_until is None:
                    return self._pauses
                left = self._paused_until - time.monotonic()
                if left <= 0 and not self._probing:
                    self._probing = True
                    return self._pauses
                self._changed.wait(None if self._probing else left)
        return None

    def is_current(self, acquire: int) -> bool:
        """Whether a leave is still good."""
        with self._changed:
            return acquire == self._pauses and not self._halt.stopped()

    def note(self, acquire: int, outcome: Outcome) -> None:
        """Take in what came of a claim that went with this leave."""
        with self._changed:
            news = self._failed(acquire) if outcome in _FAILURES else self._answered()
            if news:
                self._changed.notify_all()
        if news:
            self._tell(news)

    def _failed(self, acquire: int) -> Message | None:
        if not self.is_current(acquire):
            return None
        self._failures += 1
        if self._probing:
            self._failed_probes += 1
        elif self._failures < self._settings.breaker_failures:
            return None
        if self._failed_probes == self._settings.breaker_probes:
            self._halt.stop(StopRun(_API_DOWN.fill(failures=self._failures, probes=self._failed_probes)))
            return None
        self._pauses += 1
        self._paused_until = time.monotonic() + self._settings.breaker_pause_seconds
        self._probing = False
        return _PAUSED.fill(failures=self._failures, seconds=self._settings.breaker_pause_seconds)

    def _answered(self) -> Message | None:
        went_on = self._paused_until is None
        self._failures = self._failed_probes = 0
        self._paused_until = None
        self._probing = False
        return None if went_on or self._halt.stopped() else _GOES_ON
