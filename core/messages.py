"""Sentences for people, each in Thai and in English."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.text import plain_text

Language = Literal["th", "en"]


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence in both languages: what happened, and what to do about it.

    It is plain text: a sentence may quote a server, a hospital or a file, and is shown on terminals, pages and in logs.

    Args:
        th: The Thai sentence.
        en: The English sentence.
    """

    th: str
    en: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "th", plain_text(self.th))
        object.__setattr__(self, "en", plain_text(self.en))

    def say(self, language: Language) -> str:
        """The sentence in one language."""
        return self.th if language == "th" else self.en

    def fill(self, **values: object) -> "Message":
        """The same sentence with its `{placeholders}` filled in, text on one line."""
        values = {name: _quoted(value) if isinstance(value, str | Path) else value for name, value in values.items()}
        return Message(self.th.format(**values), self.en.format(**values))

    def __str__(self) -> str:
        return f"{self.th} / {self.en}"


def _quoted(value: str | Path) -> str:
    """A value within a sentence: it cannot begin a line of its own."""
    return " ".join(plain_text(str(value)).splitlines())
