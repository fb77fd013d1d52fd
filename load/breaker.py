"""When nothing is sent: for a while, because MOPH Claim is down (`Breaker`), or for the rest of the run (`StopSignal`)."""

import threading
import time
from collections.abc import Callable

from core.errors import MophClaimError
from core.messages import Message
from load.errors import StopRun
from load.outcomes import NO_ANSWER, Outcome
from load.settings import ApiSettings

_PAUSED = Message(
    "ส่งไม่สำเร็จติดต่อกัน {failures} ครั้ง (ครั้งล่าสุด: {why}) จึงพักการส่ง {seconds:g} วินาที แล้วจะลองใหม่เองทีละรายการ",
    "Sending failed {failures} times in a row (the last time: {why}): it pauses for {seconds:g} seconds, then one claim at "
    "a time tries again by itself.",
)
_RESUMED = Message("MOPH Claim ตอบแล้ว จึงส่งต่อ", "MOPH Claim answers again: sending goes on.")
_GIVEN_UP = Message(
    "ส่งไม่สำเร็จติดต่อกัน {failures} ครั้ง พักการส่งและลองใหม่แล้ว {probes} ครั้งก็ยังไม่ได้ (ครั้งล่าสุด: {why}) จึงหยุดส่ง รายการที่เหลือจะส่งในรอบถัดไปเอง",
    "Sending failed {failures} times in a row, the last {probes} of them after a pause each (the last time: {why}), so "
    "nothing more is sent; the rest goes in the next run by itself.",
)

_FAILURES = (Outcome.RETRY, Outcome.IN_DOUBT)


class StopSignal:
    """Stops all sending of a run, from any thread; the first reason is kept."""

    def __init__(self) -> None:
        self.changed = threading.Condition()  # the breaker waits on it too, so that a stop wakes its threads
        self.reason: MophClaimError | None = None
        self._stopped = False

    def stop(self, reason: MophClaimError | None) -> None:
        """Stop sending; None where the caller has a reason that it raises itself."""
        with self.changed:
            if not self._stopped:
                self.reason = reason
                self._stopped = True
                self.changed.notify_all()

    def stopped(self) -> bool:
        """Whether sending has stopped."""
        return self._stopped

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until sending is stopped."""
        with self.changed:
            self.changed.wait_for(self.stopped, seconds)


class Breaker:
    """The circuit breaker of all sending threads: after too many failures in a row, sending pauses.

    After the pause one claim is sent as a probe while all others wait. If it is answered, sending resumes; if it fails,
    there is another pause; too many failed probes in a row stop the run. A thread calls `acquire` before it sends a claim
    and `record_result` after. `acquire()` returns a generation; failures of an older generation are ignored, because
    sending has paused since.

    A claim that failed, in this run or the last, while others were answered in this run is a suspect: MOPH Claim fails at
    this claim. However often it is tried, it counts as one failure, so that a few of them do not look like a server that is
    down. A claim that failed when sending pauses is given back by its thread (`load.claim_submission`), so the next probe
    is another one.

    Args:
        settings: How many failures, how long a pause, how many probes.
        stop_signal: Stops the run's sending.
        notify: Called in a sending thread when sending pauses and when it resumes.
    """

    def __init__(self, settings: ApiSettings, stop_signal: StopSignal, notify: Callable[[Message], None]) -> None:
        self._settings = settings
        self._stop_signal = stop_signal
        self._notify = notify
        self._changed = stop_signal.changed  # guards what follows
        self._failures = 0
        self._failed_probes = 0
        self._why = NO_ANSWER.meaning  # the last failure
        self._generation = 0  # grows with every pause
        self._paused_until: float | None = None  # while sending pauses; monotonic seconds
        self._probing = False
        self._answers = 0
        self._failed: set[int] = set()  # claims that failed since the last answer
        self._suspects: set[int] = set()

    def acquire(self) -> int | None:
        """Wait until a claim may be sent; returns the generation, or None once sending is stopped."""
        with self._changed:
            while not self._stop_signal.stopped():
                if self._paused_until is None:
                    return self._generation
                left = self._paused_until - time.monotonic()
                if left <= 0 and not self._probing:
                    self._probing = True
                    return self._generation
                self._changed.wait(None if self._probing else left)
        return None

    def is_current(self, generation: int) -> bool:
        """Whether sending has neither paused nor stopped since `acquire` returned this generation."""
        with self._changed:
            return generation == self._generation and not self._stop_signal.stopped()

    def record_result(
        self,
        generation: int,
        outcome: Outcome,
        claim_id: int,
        *,
        why: Message = NO_ANSWER.meaning,
        failed_before: bool = False,
    ) -> None:
        """Record the outcome of a claim that was sent in this generation.

        Args:
            generation: As `acquire` gave it.
            outcome: What came of it.
            claim_id: The claim's row.
            why: What the outcome means.
            failed_before: It failed in an earlier run as well.
        """
        with self._changed:
            if outcome in _FAILURES:
                suspect = claim_id in self._suspects or (failed_before and self._answers > 0)
                counts = self._probing or not suspect or claim_id not in self._failed
                self._failed.add(claim_id)
                self._why = why
                message = self._record_failure(generation) if counts else None
            else:
                message = self._record_answer(claim_id)
            if message:
                self._changed.notify_all()
        if message:
            self._notify(message)

    def _record_failure(self, generation: int) -> Message | None:
        if not self.is_current(generation):
            return None
        self._failures += 1
        if self._probing:
            self._failed_probes += 1
        elif self._failures < self._settings.breaker_failures:
            return None
        if self._failed_probes == self._settings.breaker_probes:
            self._stop_signal.stop(StopRun(self._say(_GIVEN_UP)))
            return None
        self._generation += 1
        self._paused_until = time.monotonic() + self._settings.breaker_pause_seconds
        self._probing = False
        return self._say(_PAUSED)

    def _say(self, sentence: Message) -> Message:
        known: dict[str, float] = {"failures": self._failures, "probes": self._failed_probes}
        known["seconds"] = self._settings.breaker_pause_seconds
        return Message(sentence.th.format(why=self._why.th, **known), sentence.en.format(why=self._why.en, **known))

    def _record_answer(self, claim_id: int) -> Message | None:
        was_paused = self._paused_until is not None
        self._failures = self._failed_probes = 0
        self._answers += 1
        self._paused_until = None
        self._probing = False
        self._suspects |= self._failed - {claim_id}
        self._failed.clear()
        return _RESUMED if was_paused and not self._stop_signal.stopped() else None
