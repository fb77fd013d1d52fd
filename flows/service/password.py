"""The password of Prefect's pages and of its API: made at the first start, kept in a file that only its owner reads.

Whoever has it can run programs as the user of the service: one who has not is let see nothing and do nothing.
"""

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import ConfigurationError
from core.messages import Message

SERVER_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
"""The server asks for this, written `name:password`."""
CLIENT_VARIABLE = "PREFECT_API_AUTH_STRING"
"""Worker, runs and commands show this to the server."""
USER = "moph-claim"
_RANDOM_BYTES = 24


def password_file(data_folder: Path) -> Path:
    """Where the password in force lies."""
    return data_folder / "prefect" / "password"


def ensure_password(data_folder: Path, environment: Mapping[str, str]) -> str:
    """The password in force, `name:password`: one that a person has set in the environment, else the file's, which is
    made where there is none.

    Args:
        data_folder: Its folder `prefect` is there.
        environment: Where a person may have set one.

    Raises:
        ConfigurationError: The password is unusable, or its file cannot be used or is open to others.
    """
    if chosen := environment.get(SERVER_VARIABLE, ""):
        _check_form(chosen)
        return chosen
    file = password_file(data_folder)
    with _file_errors(file):
        if not file.is_symlink() and not file.exists():
            _create(file, f"{USER}:{secrets.token_urlsafe(_RANDOM_BYTES)}")
        return _read(file)


def keep_password(data_folder: Path, password: str) -> None:
    """Have the service's password in the file, also one that a person has set: runs by hand find it there.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    file = password_file(data_folder)
    with _file_errors(file):
        if (
            file.exists()
            and not file.is_symlink()
            and file.read_text(encoding="utf-8", errors="replace").strip() == password
        ):
            _read(file)  # that it is its owner's alone
            return
        file.unlink(missing_ok=True)
        _create(file, password)


def read_password(data_folder: Path) -> str:
    """The password in force, as `moph-claim password` shows it.

    Raises:
        ConfigurationError: There is none yet, or its file is open to others.
    """
    file = password_file(data_folder)
    if not file.exists():
        raise ConfigurationError(
            Message(
                "ยังไม่มีรหัสผ่าน เริ่มระบบด้วย moph-claim up ก่อน",
                "There is no password yet: start the service first (moph-claim up).",
            )
        )
    with _file_errors(file):
        return _read(file)


@contextmanager
def _file_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unusable(file, error.strerror or type(error).__name__) from None


def _check_form(password: str) -> None:
    name, _, secret = password.partition(":")
    if not (name and secret and password.isascii() and password.isprintable()):
        raise ConfigurationError(
            Message(
                f"{SERVER_VARIABLE} ต้องเขียนเป็น ชื่อ:รหัสผ่าน ด้วยอักษรอังกฤษ ตัวเลข หรือเครื่องหมาย",
                f"{SERVER_VARIABLE} is written name:password, in plain ASCII characters.",
            )
        )


def _create(file: Path, password: str) -> None:
    """Write the file whole, for its owner alone; one that another process has made in the meantime stays."""
    part = file.with_name(f"{file.name}.{secrets.token_hex(8)}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(f"{password}\n")
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            file.hardlink_to(part)
    finally:
        part.unlink()


def _read(file: Path) -> str:
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, encoding="utf-8", errors="replace") as opened:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or state.st_mode & 0o077 or state.st_uid != os.geteuid():
            raise ConfigurationError(
                Message(
                    f"ผู้อื่นอ่านหรือแก้ {file} ได้ รหัสผ่านนี้จึงไม่เป็นความลับ ลบไฟล์นี้แล้วเริ่มใหม่ ระบบจะสร้างรหัสผ่านใหม่",
                    f"{file} is open to others, so the password is no secret: remove the file and start again, a new one is made.",
                )
            )
        password = opened.read(1000).strip()
    _check_kept(file, password)
    return password


def _check_kept(file: Path, password: str) -> None:
    try:
        _check_form(password)
    except ConfigurationError:
        raise _unusable(file, "?") from None


def _unusable(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        Message(
            f"ใช้ไฟล์รหัสผ่าน {file} ไม่ได้ ({why}) กรุณาแก้สิทธิ์ หรือลบไฟล์นี้แล้วเริ่มใหม่",
            f"The password file {file} cannot be used ({why}): mend its rights, or remove it and start again.",
        )
    )
