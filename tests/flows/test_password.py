"""The password of Prefect's pages: who makes it, where it lies, and what is refused."""

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from flows.service.password import (
    CLIENT_VARIABLE,
    SERVER_VARIABLE,
    ensure_password,
    keep_password,
    password_file,
    read_password,
)
from flows.service.prefect_config import announced, configure_prefect, running_server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prefect").mkdir()
    return tmp_path


def test_the_first_start_makes_a_random_one_for_its_owner_alone(folder: Path) -> None:
    password = ensure_password(folder, {})
    assert re.fullmatch(r"moph-claim:[A-Za-z0-9_-]{32}", password)
    assert stat.S_IMODE(password_file(folder).stat().st_mode) == 0o600
    assert [path.name for path in (folder / "prefect").iterdir()] == ["password"]


def test_later_starts_and_commands_find_the_same(folder: Path) -> None:
    assert ensure_password(folder, {}) == ensure_password(folder, {}) == read_password(folder)


def test_many_first_starts_at_once_make_one(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(lambda _: ensure_password(folder, {}), range(8))} == {read_password(folder)}


def test_one_that_a_person_has_set_wins_and_runs_by_hand_find_it(folder: Path) -> None:
    made = ensure_password(folder, {})
    chosen = ensure_password(folder, {SERVER_VARIABLE: "officer:a-long-password"})
    assert read_password(folder) == made  # a command alone changes nothing
    keep_password(folder, chosen)
    assert ensure_password(folder, {}) == chosen == "officer:a-long-password"
    assert stat.S_IMODE(password_file(folder).stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_or_write_is_refused(folder: Path, mode: int) -> None:
    ensure_password(folder, {})
    password_file(folder).chmod(mode)
    with pytest.raises(ConfigurationError, match="open to others"):
        ensure_password(folder, {})


@pytest.mark.parametrize(
    "content", ["", "no-colon\n", ":secret", "name:", "name:\x1b[31m", "name:รหัส", "long" * 1000], ids=range(7)
)
def test_a_file_that_holds_no_password_is_refused(folder: Path, content: str) -> None:
    password_file(folder).write_text(content, encoding="utf-8")
    password_file(folder).chmod(0o600)
    with pytest.raises(ConfigurationError, match="remove it and start again"):
        ensure_password(folder, {})


def test_a_link_in_its_place_is_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("known:to-others", encoding="ascii")
    elsewhere.chmod(0o600)
    password_file(folder).symlink_to(elsewhere)
    with pytest.raises(ConfigurationError):
        ensure_password(folder, {})


def test_a_pipe_in_its_place_keeps_nobody_waiting(folder: Path) -> None:
    os.mkfifo(password_file(folder), 0o600)
    with pytest.raises(ConfigurationError):
        ensure_password(folder, {})


def test_there_is_none_before_the_first_start(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="moph-claim up"):
        read_password(folder)


def test_an_address_that_a_power_cut_left_behind_is_nobodys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("flows.service.prefect_config.is_healthy", lambda url: not asked.append(url))
    (folder / "prefect" / "server-address").write_text("http://127.0.0.1:4200")
    assert (running_server(folder), asked) == (None, [])
    with announced(folder, "http://127.0.0.1:4300"):
        assert running_server(folder) == "http://127.0.0.1:4300"
        with pytest.raises(ConfigurationError, match="already works over this folder"), announced(folder, "other"):
            pass
    assert running_server(folder) is None


@pytest.mark.parametrize(("given", "shown"), [({}, True), ({"PREFECT_API_URL": "https://prefect.example/api"}, False)])
def test_the_passing_server_of_a_run_by_hand_has_it_and_another_server_is_not_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], shown: bool
) -> None:
    monkeypatch.setattr("os.environ", environment := dict(given))
    configure_prefect(folder)
    assert environment[SERVER_VARIABLE] == read_password(folder)
    assert environment.get(CLIENT_VARIABLE) == (read_password(folder) if shown else None)
