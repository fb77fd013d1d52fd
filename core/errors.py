"""The root of all errors a person may see; each room adds its own.

Errors are grouped by what the caller can do. Each carries a sentence in Thai and English and never a value from a
record: an exception that leaves a task is written to disk by the orchestrator.
"""

import traceback
from pathlib import Path

from core.messages import Message


class MophClaimError(Exception):
    """Anything the program stops at, said in one sentence in both languages.

    Args:
        message: What happened and what to do.
        discreet: The same without names of files and sheets, which may be a person's: what is logged says this.
    """

    def __init__(self, message: Message, discreet: Message | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.discreet = discreet or message

    def __str__(self) -> str:
        return str(self.message)

    # Pickled by the orchestrator when it leaves a task: only the sentences go along.
    def __reduce__(self) -> tuple[type["MophClaimError"], tuple[Message, Message]]:
        return type(self), (self.message, self.discreet)


class ConfigurationError(MophClaimError):
    """A setting is missing, misspelt or impossible: a person must change it."""


def as_discreet(error: BaseException) -> Message:
    """What to say of any error where it is logged."""
    return error.discreet if isinstance(error, MophClaimError) else as_sentence(error)


def as_sentence(error: BaseException) -> Message:
    """What to say of any error: our own sentence, or, for a bug, where it is - never its words, they may quote a record."""
    if isinstance(error, MophClaimError):
        return error.message
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    what = f"{type(error).__name__} {place}"
    return Message(
        f"โปรแกรมมีข้อผิดพลาดภายใน ({what}) ข้อมูลที่บันทึกแล้วยังอยู่ครบ กรุณาแจ้งผู้พัฒนา",
        f"The program has a fault of its own ({what}); what was written is kept. Please tell its developers.",
    )
