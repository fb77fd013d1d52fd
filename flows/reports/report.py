"""The report of a run for the claims officer: a page of Markdown, with nothing personal in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from core.clock import now
from core.messages import Language, Message
from core.text import escape_markdown
from flows.runs.claim_run import ClaimRun

# Markdown, not HTML: titles and cells are escaped here, what lines quote of others where they are made.
_ENVIRONMENT = Environment(  # noqa: S701
    loader=PackageLoader("flows.reports"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters["escape_markdown"] = escape_markdown
_TEMPLATE = _ENVIRONMENT.get_template("report.md.jinja")


@dataclass(frozen=True, slots=True)
class Report:
    """A report, in one language.

    Args:
        title: One line of text.
        run_id: The run it is about.
        body: Markdown without the title.
        for_a_person: Records and claims a person should look at.
    """

    title: str
    run_id: str
    body: str
    for_a_person: int

    def markdown(self) -> str:
        """The whole report."""
        return f"# {escape_markdown(self.title)}\n\n{self.body}\n"

    def save(self, folder: Path) -> Path:
        """Write it to the reports folder; the file's name begins with the day."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{now():%Y-%m-%d-%H%M}-{self.run_id[:8]}.md"
        path.write_text(self.markdown(), encoding="utf-8")
        return path.absolute()


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a report.

    Args:
        heads: What its columns are called.
        rows: Its cells: text in the report's language.
    """

    heads: Sequence[Message]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a report; one without content is left out.

    Args:
        heading: Its heading.
        content: Lines of a list in the report's language, as Markdown; or a table.
    """

    heading: Message
    content: Sequence[str] | Table


def quoted(message: Message) -> Message:
    """A sentence that may quote a server, a hospital or a file, as Markdown that shows it as it is."""
    return Message(escape_markdown(message.th), escape_markdown(message.en))


def compose_report(
    run: ClaimRun,
    title: Message,
    summary: Iterable[Message],
    steps: Iterable[Message],
    sections: Iterable[Section],
    for_a_person: int,
) -> Report:
    """Lay out a report: the summary, what to do next, then the sections.

    Args:
        run: The run it is about.
        title: One line.
        summary: Lines of Markdown.
        steps: What a person should do next, as Markdown.
        sections: In their order.
        for_a_person: Records and claims a person should look at.
    """
    language, audit_run = run.settings.language, run.audit_run
    where = Message(
        f"สภาพแวดล้อม **{audit_run.environment}** run `{audit_run.id}`",
        f"Environment **{audit_run.environment}**, run `{audit_run.id}`",
    )
    next_steps = [m.say(language) for m in steps] or [Message("ไม่มี", "None.").say(language)]
    parts = [
        ("", [m.say(language) for m in (where, *summary)], None),
        (Message("ต้องทำอะไรต่อ", "Next steps").say(language), next_steps, None),
        *(_part(section, language) for section in sections),
    ]
    body = _TEMPLATE.render(parts=[part for part in parts if part[1] or part[2]]).rstrip("\n")
    return Report(title.say(language), audit_run.id, body, for_a_person)


def _part(section: Section, language: Language) -> tuple[str, Sequence[str], list[Sequence[str]] | None]:
    """A heading, the lines of a list, or a table's rows, its heads first."""
    heading, content = section.heading.say(language), section.content
    if isinstance(content, Table):
        return heading, [], [[head.say(language) for head in content.heads], *content.rows]
    return heading, content, None
