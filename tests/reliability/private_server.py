"""Database servers of the suite's own, which may be killed and whose disk may fill up; and small disks."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from lifeline import ending_with_parent
from prefect_service import free_port

START_SECONDS = 300
_FILLER = "filler"


class NotHere(Exception):
    """This machine lacks what is needed; says what."""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own in a new folder, so small that it can be filled.

    Raises:
        NotHere: This user may not mount one.
    """
    folder.mkdir(parents=True, mode=0o755)
    mount = shutil.which("mount")
    size = f"size={megabytes}m,mode=0755"
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True).returncode
    ):
        raise NotHere("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> None:
    """Leave no room on a small disk."""
    with (disk / _FILLER).open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(bytes(65536)):
            pass


def make_room(disk: Path) -> None:
    """Undo `fill`."""
    (disk / _FILLER).unlink(missing_ok=True)


class PrivateServer(ABC):
    """A database server of this suite's own, its data below a folder. Use it as a context.

    Attributes:
        url: Where databases can be made on it.
    """

    user: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        # Servers refuse to run as root.
        self._as = {"user": self.user, "group": self.user, "extra_groups": []} if os.geteuid() == 0 else {}
        if self._as and self.user not in {entry.pw_name for entry in pwd.getpwall()}:
            raise NotHere(f"there is no user {self.user} here")
        self.port = free_port()
        self.folder.mkdir(mode=0o700)
        if self._as:
            shutil.chown(self.folder, self.user, self.user)
        self.url = self._make()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PrivateServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, where it does not run, and wait until it answers.

        Raises:
            TimeoutError: It does not.
        """
        deadline = time.monotonic() + START_SECONDS
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        while True:
            # After a kill the first start may meet what the dead server's children still hold.
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    self._command(),
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    preexec_fn=ending_with_parent(signal.SIGKILL),
                    **self._as,
                )
            try:
                engine.connect().close()
                return
            except sa.exc.SQLAlchemyError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the {type(self).__name__} server does not answer") from None
                time.sleep(0.1)

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _setup(self, *command: str) -> None:
        subprocess.run(command, cwd=self.folder, capture_output=True, check=True, **self._as)

    @abstractmethod
    def _make(self) -> str:
        """Make the empty cluster; gives its URL."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The server in the foreground."""


class PostgreSQL(PrivateServer):
    """A PostgreSQL server."""

    user = "postgres"

    def _make(self) -> str:
        self._setup(_program("initdb"), "-D", str(self.folder), "-U", "postgres", "-A", "trust", "-E", "UTF8")
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def _command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": self.port}
        settings |= {"shared_buffers": "16MB", "min_wal_size": "32MB", "max_wal_size": "48MB"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [_program("postgres"), "-D", str(self.folder), *options]


class MariaDB(PrivateServer):
    """A MariaDB server."""

    user = "mysql"

    def _make(self) -> str:
        normal = "--auth-root-authentication-method=normal"
        self._setup(
            _program("mariadb-install-db"), "--no-defaults", f"--datadir={self.folder}", normal, "--skip-test-db"
        )
        return f"mysql+pymysql://root@127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        here = [f"--datadir={self.folder}", f"--port={self.port}", f"--socket={self.folder / 'socket'}"]
        small = ["--innodb-log-file-size=16M", "--innodb-buffer-pool-size=32M", "--bind-address=127.0.0.1"]
        return [_program("mariadbd"), "--no-defaults", *here, *small]


def _program(name: str) -> str:
    """The path of a server's program.

    Raises:
        NotHere: It is not installed.
    """
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = (
        (str(beside[-1]) if beside else None)
        or shutil.which(name)
        or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    )
    if found is None:
        raise NotHere(f"{name} is not installed here")
    return found
