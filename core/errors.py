"""The base class of all errors that a person may see; each package adds its own.

Errors are grouped by what the caller can do about them. Each has one sentence in Thai and English, never with a value
from a record, because Prefect writes an exception that leaves a task to disk.
"""

import traceback
from pathlib import Path

from core.messages import Message


class MophClaimError(Exception):
    """An error the program stops at, as one sentence in both languages.

    Args:
        message: What happened and what to do.
        discreet: The same for logs, without names of files and sheets, which may contain a person's name.
    """

    def __init__(self, message: Message, discreet: Message | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.discreet = discreet or message

    def __str__(self) -> str:
        return str(self.message)

    # Prefect pickles an exception that leaves a task: only the two sentences are kept.
    def __reduce__(self) -> tuple[type["MophClaimError"], tuple[Message, Message]]:
        return type(self), (self.message, self.discreet)


class ConfigurationError(MophClaimError):
    """A setting is missing, misspelt or impossible; a person must change it."""


def as_discreet(error: BaseException) -> Message:
    """The sentence to log for any error."""
    return error.discreet if isinstance(error, MophClaimError) else as_sentence(error)


def as_sentence(error: BaseException) -> Message:
    """The sentence to show for any error. For a bug: its place in the code, not its text, which may quote a record."""
    if isinstance(error, MophClaimError):
        return error.message
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    what = f"{type(error).__name__} {place}"
    return Message(
        f"โปรแกรมมีข้อผิดพลาดภายใน ({what}) ข้อมูลที่บันทึกแล้วยังอยู่ครบ กรุณาแจ้งผู้พัฒนา",
        f"The program has a fault of its own ({what}); what was written is kept. Please tell its developers.",
    )
