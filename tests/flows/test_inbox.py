"""The inbox folder: each workbook is taken by one worker, kept while that lives, and ends beside its result."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from rights import without_power_over_rights

from core.errors import ConfigurationError
from flows.inbox.folder import Inbox, reserved_result
from flows.inbox.handles import open_file


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox", settle_seconds=0)


def put(inbox: Inbox, name: str = "claims.xlsx", text: str = "rows") -> Path:
    path = inbox.folder / name
    path.write_text(text)
    return path


def write(path: Path) -> None:
    path.write_text("answers")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_no_person_put_there_does_not_wait(inbox: Inbox) -> None:
    others = ("notes.docx", "scan", "photo.jpg", "list.pdf", "run.sh")
    for name in ("claims.xlsx", "old.XLS", "a.ods", "b.csv", "macros.xlsm", "~$claims.xlsx", ".hidden.xlsx", *others):
        put(inbox, name)
    for name in ("c.tmp", "claims.xlsx.crdownload", "Thumbs.db", "desktop.ini"):
        put(inbox, name)
    (inbox.folder / "folder.xlsx").mkdir()
    os.mkfifo(inbox.folder / "pipe.xlsx")
    waiting = sorted(path.name for path in inbox.waiting())
    assert waiting == ["a.ods", "b.csv", "claims.xlsx", "macros.xlsm", "old.XLS"]
    assert inbox.other_files() == len([*others, "pipe.xlsx"])


def test_a_file_that_changed_a_moment_ago_does_not_wait_yet(tmp_path: Path) -> None:
    slow = Inbox(tmp_path, settle_seconds=600)
    path = put(slow)
    os.utime(path, (0, 0))  # as a copy that bears its original's day
    assert slow.waiting() == []


def test_a_file_that_is_taken_is_nobody_elses(inbox: Inbox) -> None:
    path = put(inbox)
    with inbox.take(path) as ours:
        assert ours is not None
        assert (ours.name, ours.read_text()) == ("claims.xlsx", "rows")
        assert Inbox(inbox.folder, 0).waiting() == []
        (moved,) = (inbox.folder / "working").glob("*/claims.xlsx")
        with inbox.take(path) as theirs, inbox.take(moved) as theirs_too:
            assert (theirs, theirs_too) == (None, None)


def test_a_file_ends_beside_its_result(inbox: Inbox) -> None:
    with inbox.take(put(inbox)) as taken:
        assert taken is not None
        inbox.finish(taken, "done", write)
    done = inbox.folder / "done"
    assert names(done) == ["claims.result.xlsx", "claims.xlsx"]
    assert ((done / "claims.result.xlsx").read_text(), (done / "claims.xlsx").read_text()) == ("answers", "rows")
    assert (names(inbox.folder / "working"), inbox.waiting()) == ([], [])


def test_a_second_file_of_the_same_name_does_not_cover_the_first(inbox: Inbox) -> None:
    for text in ("first", "second"):
        with inbox.take(put(inbox, text=text)) as taken:
            assert taken is not None
            inbox.finish(taken, "failed", write)
    failed = inbox.folder / "failed"
    assert names(failed) == ["claims-2.result.xlsx", "claims-2.xlsx", "claims.result.xlsx", "claims.xlsx"]
    assert ((failed / "claims.xlsx").read_text(), (failed / "claims-2.xlsx").read_text()) == ("first", "second")


def test_who_may_read_the_file_may_read_its_result(inbox: Inbox) -> None:
    path = put(inbox)
    path.chmod(0o664)
    with inbox.take(path) as taken:
        assert taken is not None
        inbox.finish(taken, "done", write)
    result = inbox.folder / "done" / "claims.result.xlsx"
    assert result.stat().st_mode & 0o777 == 0o664


def test_an_older_result_stays(tmp_path: Path) -> None:
    with reserved_result(tmp_path / "claims.xlsx") as first, reserved_result(tmp_path / "claims.xlsx") as second:
        assert [first.name, second.name] == ["claims.result.xlsx", "claims.result-2.xlsx"]


def test_the_result_of_a_mended_result_is_named_after_the_first_file(tmp_path: Path) -> None:
    mended = tmp_path / "claims.result.xlsx"
    mended.touch()
    with reserved_result(mended) as second, reserved_result(second) as third:
        assert [second.name, third.name] == ["claims.result-2.xlsx", "claims.result-3.xlsx"]


def test_of_a_result_that_was_not_written_nothing_stays(tmp_path: Path) -> None:
    with reserved_result(tmp_path / "claims.xlsx"):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", [f"{'ก' * 81}.xlsx", f"{'ก' * 83}.xlsx", f"{'x' * 250}.xlsx"])
def test_a_file_may_have_as_long_a_name_as_there_is(inbox: Inbox, name: str) -> None:
    for _ in range(2):
        with inbox.take(put(inbox, name)) as taken:
            assert taken is not None
            assert taken.name == name
            inbox.finish(taken, "done", write)
    done = names(inbox.folder / "done")
    assert name in done
    assert sorted(kept.lstrip("กx") for kept in done) == ["-2.xlsx", ".result-2.xlsx", ".result.xlsx", ".xlsx"]


def test_a_file_whose_result_cannot_be_written_stays_in_our_hands(inbox: Inbox) -> None:
    def fail(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with inbox.take(put(inbox)) as taken:
        assert taken is not None
        with pytest.raises(OSError, match="No space"):
            inbox.finish(taken, "done", fail)
        assert taken.exists()
        inbox.finish(taken, "failed", None)
    assert [names(inbox.folder / end) for end in ("done", "failed", "working")] == [[], ["claims.xlsx"], []]


def test_empty_folders_of_dead_workers_are_removed_but_not_those_just_made(inbox: Inbox) -> None:
    for name in ("old", "new"):
        (inbox.folder / "working" / name).mkdir()
    os.utime(inbox.folder / "working" / "old", (0, 0))
    inbox.waiting()
    assert names(inbox.folder / "working") == ["new"]


def test_a_file_that_may_not_be_read_is_taken_like_any_other(inbox: Inbox) -> None:
    put(inbox).chmod(0)
    with without_power_over_rights():
        with inbox.take(*inbox.waiting()) as taken:
            assert taken is not None
            with pytest.raises(PermissionError):
                taken.open()
            (left,) = inbox.waiting()  # whoever comes next may see to it as well
            assert left.samefile(taken)
            inbox.finish(taken, "failed", write)
        assert inbox.waiting() == []
    assert names(inbox.folder / "failed") == ["claims.result.xlsx", "claims.xlsx"]


def test_a_file_that_cannot_be_moved_stays_where_it_is(inbox: Inbox) -> None:
    path = put(inbox)
    with without_power_over_rights():
        inbox.folder.chmod(0o500)
        with pytest.raises(PermissionError), inbox.take(path):
            pass
        assert inbox.waiting() == [path]
        inbox.folder.chmod(0o700)
    assert names(inbox.folder / "working") == []


def test_a_link_is_no_workbook(inbox: Inbox, tmp_path: Path) -> None:
    (tmp_path / "other.xlsx").touch()
    link = inbox.folder / "link.xlsx"
    link.symlink_to(tmp_path / "other.xlsx")
    assert (inbox.waiting(), inbox.other_files()) == ([], 1)
    with pytest.raises(ConfigurationError, match="no such file"):
        inbox.named("link.xlsx")
    with inbox.take(link) as taken:
        assert taken is None
    assert link.is_symlink()


@pytest.mark.parametrize("name", [".", "working", "done", "failed"])
def test_a_linked_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "inbox"
    if name != ".":
        folder.mkdir()
    (folder / name if name != "." else folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="not links"):
        Inbox(folder, 0)
    assert names(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("name", ["working", "done"])
def test_a_folder_that_becomes_a_link_in_mid_import_leads_nowhere(inbox: Inbox, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    with inbox.take(put(inbox)) as taken:
        assert taken is not None
        (inbox.folder / name).rename(tmp_path / "moved")
        (inbox.folder / name).symlink_to(tmp_path / "elsewhere")
        assert taken.read_text() == "rows"
        if name == "done":
            with pytest.raises(OSError, match="irectory"):
                inbox.finish(taken, "done", write)
            assert taken.exists()
        inbox.finish(taken, "failed", write)
    assert names(tmp_path / "elsewhere") == []
    assert names(inbox.folder / "failed") == ["claims.result.xlsx", "claims.xlsx"]
    if name == "working":
        with pytest.raises(OSError, match="irectory"):
            inbox.waiting()


def test_a_link_in_the_place_of_a_file_just_opened_is_not_read(
    inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the move somebody puts a link there."""
    (tmp_path / "secret.xlsx").write_text("secret")
    path = put(inbox)

    def swap(folder: int, name: str) -> int | None:
        descriptor = open_file(folder, name)
        path.unlink()
        path.symlink_to(tmp_path / "secret.xlsx")
        return descriptor

    monkeypatch.setattr("flows.inbox.folder.open_file", swap)
    with inbox.take(path) as taken:
        assert taken is None
    monkeypatch.undo()
    assert inbox.waiting() == []


def test_a_file_in_a_folder_of_the_inbox_can_be_named(inbox: Inbox) -> None:
    (inbox.folder / "school").mkdir()
    path = put(inbox, "school/oct.xlsx")
    assert inbox.named("school/oct.xlsx") == path


ELSEWHERE = [
    "../claims.xlsx",
    "/etc/passwd",
    "done/claims.xlsx",
    "school/../done/claims.xlsx",
    "link/claims.xlsx",
    "missing.xlsx",
    "..",
    "school",
    "a\0.xlsx",
    f"{'x' * 300}.xlsx",
]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_name_that_leads_elsewhere_is_refused(inbox: Inbox, name: str) -> None:
    (inbox.folder / "school").mkdir()
    (inbox.folder / "link").symlink_to(inbox.folder.parent)
    for folder in (inbox.folder.parent, inbox.folder / "done"):
        (folder / "claims.xlsx").touch()
    with pytest.raises(ConfigurationError, match=r"no such file"):
        inbox.named(name)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"inbox\.folder"):
        Inbox(tmp_path / "file", 0)


def _work(folder: Path, done: Path) -> None:
    """A worker: takes whatever waits until nothing does, and writes down what it had."""
    inbox = Inbox(folder, 0)
    while waiting := inbox.waiting():
        for path in waiting:
            with inbox.take(path) as taken:
                if taken is not None:
                    with done.open("a") as log:
                        log.write(f"{taken.name}\n")
                    inbox.finish(taken, "done", write)


def test_of_many_workers_each_file_has_exactly_one(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox", 0)
    files = [put(inbox, f"file{n}.xlsx").name for n in range(60)]
    context = multiprocessing.get_context("fork")
    logs = [tmp_path / f"worker{n}.log" for n in range(4)]
    for log in logs:
        log.touch()
    workers = [context.Process(target=_work, args=(inbox.folder, log)) for log in logs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    had = [name for log in logs for name in log.read_text().split()]
    assert sorted(had) == sorted(files)
    assert len(names(inbox.folder / "done")) == 2 * len(files)


def _hold(folder: Path, held: Path) -> None:
    inbox = Inbox(folder, 0)
    with inbox.take(inbox.waiting()[0]) as taken:
        assert taken is not None
        held.touch()
        time.sleep(600)


def test_what_a_killed_worker_had_is_taken_up(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox", 0)
    put(inbox)
    held = tmp_path / "held"
    worker = multiprocessing.get_context("fork").Process(target=_hold, args=(inbox.folder, held))
    worker.start()
    while not held.exists():
        time.sleep(0.01)
    assert inbox.waiting() == []
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    (left,) = inbox.waiting()
    with inbox.take(left) as taken:
        assert taken is not None
        assert taken.name == "claims.xlsx"
