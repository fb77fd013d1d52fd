"""Workbooks with personal data are removed once they were kept as long as they should be; nothing else is."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from night_shift import Site

from flows.runs import old_files
from flows.runs.old_files import remove_old_files
from flows.settings.model import Settings
from flows.settings.read import read_settings

OURS = [
    "reports/2026-01-31-0130-0a1b2c3d.xlsx",
    "reports/.2026-01-31-0130-0a1b2c3d-99aabbcc.part",
    "inbox/done/นายลับ.xlsx",
    "inbox/done/นายลับ.result.xlsx",
    "inbox/failed/old.CSV",
    "inbox/failed/.old.result-99aabbcc.part",
]
OTHERS = [
    "reports/2026-01-31-0130-0a1b2c3d.md",
    "reports/budget.xlsx",
    "reports/below/2026-01-31-0130-0a1b2c3d.xlsx",
    "inbox/waiting.xlsx",
    "inbox/working/x/mine.xlsx",
    "inbox/done/readme.txt",
    "inbox/done/below/mine.xlsx",
    "audit.sqlite",
    "elsewhere/mine.xlsx",
]


@pytest.fixture
def settings(site: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Settings]:
    monkeypatch.chdir(site.folder)
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))

    def keeping(days: int) -> Settings:
        site.set(privacy__keep_files_days=days)
        return read_settings()

    return keeping


def _lay(data: Path) -> None:
    for name in [*OURS, *OTHERS]:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    (data / "inbox/done/link.xlsx").symlink_to(data / "elsewhere/mine.xlsx")


def _left(data: Path) -> set[str]:
    return {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file() and not path.is_symlink()}


def _later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    now = time.time()
    monkeypatch.setattr(old_files.time, "time", lambda: now + days * 86_400)


def test_old_workbooks_of_ours_are_removed_and_nothing_else(
    settings: Callable[[int], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = settings(90).data_folder
    _lay(data)
    for name in OURS:
        os.utime(data / name, (0, 0))  # a copy bears its original's day
    _later(monkeypatch, 89)
    assert remove_old_files(settings(90)) == 0
    _later(monkeypatch, 91)
    assert remove_old_files(settings(0)) == 0
    assert _left(data) == {*OURS, *OTHERS}
    assert remove_old_files(settings(90)) == len(OURS)
    assert _left(data) == {*OTHERS}
    assert (data / "inbox/done/link.xlsx").is_symlink()


def test_folders_that_are_links_or_missing_are_left_alone(
    settings: Callable[[int], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = settings(1).data_folder
    _later(monkeypatch, 2)
    assert remove_old_files(settings(1)) == 0
    _lay(data)
    for name in ("reports", "inbox/done"):
        (data / name).rename(data / f"{name}-moved")
        (data / name).symlink_to(data / f"{name}-moved")
    assert remove_old_files(settings(1)) == sum(name.startswith("inbox/failed") for name in OURS)
