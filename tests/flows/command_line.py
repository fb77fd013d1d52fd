"""The `moph-claim` command as a person calls it: a process of its own, nothing of the test's environment in it."""

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from command_forks import call


@dataclass(frozen=True)
class Said:
    """What a command left on the screen, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one sentence of a command that could not be done."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert "Traceback" not in self.out + self.err
        (line,) = self.err.strip().splitlines()
        return line


def moph_claim(folder: Path, *words: str, **environment: str) -> Said:
    """Call the command in a folder of settings; what it makes for itself lies there too."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MOPH_CLAIM", "PREFECT", "PYTEST"))
    }
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    ours = {"HOME": str(folder), "TMPDIR": str(temporary), "COLUMNS": "160"}
    with TemporaryDirectory() as screen:
        out, err = Path(screen, "out"), Path(screen, "err")
        code = call(list(words), folder, clean | ours | environment, out, err)
        return Said(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))
