"""Coverage-guided fuzzing of all that reads an answer: `make fuzz`, or `python tests/fuzz/fuzz_answers.py [libFuzzer options]`.

Half of the inputs are raw HTTP, half the body of an HTTP answer whose head is in order. The first byte chooses the call.
"""

import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["load", "core", "http", "urllib3", "requests", "email", "json"]):
    from answers import CALLS, EXAMPLES, SEEDS, Answers, http

STATUSES = (200, 201, 400, 401, 403, 404, 422, 429, 500, 502, 503, 504, 101, 302, 409, 600)


def main() -> None:
    """Fuzz until libFuzzer's limits are reached or something does not hold."""
    with Answers().connected() as answers, tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS):
            for call in range(len(CALLS)):
                Path(folder, f"http-{number}-{call}").write_bytes(bytes([call]) + seed)
        for number, example in enumerate(EXAMPLES):
            Path(folder, f"body-{number}").write_bytes(bytes([0x80 | number]) + json.dumps(example).encode())

        def one(data: bytes) -> None:
            if not data:
                return
            choice, rest = data[0], data[1:]
            if choice & 0x80:
                rest = http(rest, b"HTTP/1.1 %d ?" % STATUSES[(choice >> 2) & 0x0F])
            answers.check(CALLS[choice & 3], rest)

        atheris.Setup([*sys.argv, "-timeout=20", "-rss_limit_mb=1024", "-max_len=8192", folder], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
