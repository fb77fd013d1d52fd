"""Removes workbooks with personal data that have been kept long enough: of the reports, and of what was imported."""

import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path

from flows.inbox.folder import WORKBOOKS
from flows.inbox.handles import opened_folder
from flows.settings.model import Settings

_SECONDS_A_DAY = 86_400
# As `Report.save` names them, and what a run that was killed while writing has left.
_OF_REPORTS = re.compile(r"\.?\d{4}-\d\d-\d\d-\d{4}-[0-9a-f]{8}(\.xlsx|-[0-9a-f]{8}\.part)")
# Files that were imported, and their results, whatever they are called.
_OF_INBOX = re.compile(rf".*({'|'.join(map(re.escape, sorted(WORKBOOKS)))})|\..*-[0-9a-f]{{8}}\.part", re.IGNORECASE)


def remove_old_files(settings: Settings) -> int:
    """Remove what is older than `privacy.keep_files_days` from the reports and the inbox's `done` and `failed`.

    Only workbooks in these folders themselves are removed, and no link is followed. A file counts from when it came there.

    Returns:
        How many were removed.
    """
    if not settings.privacy.keep_files_days:
        return 0
    before = time.time() - settings.privacy.keep_files_days * _SECONDS_A_DAY
    inbox = settings.inbox_folder()
    removed = _remove(settings.reports_folder(), _OF_REPORTS, before)
    return removed + sum(_remove(inbox, _OF_INBOX, before, end) for end in ("done", "failed"))


def _remove(folder: Path, names: re.Pattern[str], before: float, *below: str) -> int:
    removed = 0
    # There may be no such folder yet; what may not be removed stays.
    with suppress(OSError), opened_folder(folder, *below) as handle:
        for name in filter(names.fullmatch, os.listdir(handle)):  # noqa: PTH208 - of a handle
            with suppress(OSError):
                status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                # A file may bear an older day than that on which it was moved here.
                if stat.S_ISREG(status.st_mode) and max(status.st_mtime, status.st_ctime) < before:
                    os.unlink(name, dir_fd=handle)
                    removed += 1
    return removed
