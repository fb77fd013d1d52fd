"""A run in this process and on this terminal, as `moph-claim run` and the demo start it."""

import os
from enum import IntEnum

from rich.console import Console
from rich.markdown import Markdown

from flows.prefect_home import running_server, settle_prefect
from flows.settings import Settings

screen = Console()
errors = Console(stderr=True)


class Exit(IntEnum):
    """What the command's exit says."""

    WELL = 0
    NEEDS_A_PERSON = 1
    NOT_DONE = 2


def run_once(settings: Settings, **parameters: object) -> Exit:
    """Run the flow in this process, show its report, and say how it went."""
    settle_prefect(settings.data_folder)
    # Beside a running `moph-claim up` the run shows on its pages; two servers over one Prefect database would not do.
    if url := running_server(settings.data_folder):
        os.environ.setdefault("PREFECT_API_URL", f"{url}/api")
    from flows.submit_claims import run_and_report  # Prefect reads its settings when it is imported

    report, failure = run_and_report(parameters)
    if report is not None:
        screen.print(Markdown(report.markdown()))
    if failure is not None:
        errors.print(failure, style="red", highlight=False, markup=False, soft_wrap=True)
        return Exit.NOT_DONE
    return Exit.NEEDS_A_PERSON if report is not None and report.for_a_person else Exit.WELL
