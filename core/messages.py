"""Sentences for people, each in Thai and in English."""

from dataclasses import dataclass
from typing import Literal

Language = Literal["th", "en"]


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence in both languages: what happened, and what to do about it.

    Args:
        th: The Thai sentence.
        en: The English sentence.
    """

    th: str
    en: str

    def say(self, language: Language) -> str:
        """The sentence in one language."""
        return self.th if language == "th" else self.en

    def fill(self, **values: object) -> "Message":
        """The same sentence with its `{placeholders}` filled in."""
        return Message(self.th.format(**values), self.en.format(**values))

    def __str__(self) -> str:
        return f"{self.th} / {self.en}"
