"""Whatever bytes answer a call, only the program's own errors come out, and nothing is believed lightly."""

import gzip
import json
import zlib
from collections.abc import Iterator

import pytest
from answers import CALLS, EXAMPLES, SEEDS, Answers, http
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from load.outcomes import Outcome


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    with Answers().connected() as connected:
        yield connected


_NAMES = ["status", "code", "statusCode", "message", "message_th", "data", "error", "errors", "success", "field"]
_NAMES += ["transaction_uid", "pid", "access_token", "token", "client", "exp"]
KEYS = st.sampled_from(_NAMES) | st.text(max_size=5)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["success", "JWT Expire", "dm patient unable to claim", "fail", 200, 400, "400", "uid-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
bodies = (
    st.binary(max_size=300)
    | st.dictionaries(KEYS, json_values).map(lambda found: json.dumps(found).encode())
    | st.sampled_from(EXAMPLES).flatmap(
        lambda example: st.dictionaries(KEYS, json_values, max_size=3).map(
            lambda more: json.dumps(example | more).encode()
        )
    )
)
encodings = st.sampled_from(
    [
        (b"", bytes),
        (b"gzip", gzip.compress),
        (b"deflate", zlib.compress),
        (b"gzip", bytes),
        (b"br", bytes),
        (b"zstd", bytes),
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An answer that somebody tampered with."""
    whole = draw(st.sampled_from(SEEDS))
    at = draw(st.integers(0, len(whole)))
    return whole[:at] + draw(st.binary(max_size=30)) + whole[draw(st.integers(at, len(whole))) :]


@st.composite
def answered(draw: st.DrawFn) -> bytes:
    """An HTTP answer in order, with any body."""
    name, encode = draw(encodings)
    status = draw(st.integers(100, 999))
    return http(encode(draw(bodies)), b"HTTP/1.1 %d ?\r\nContent-Encoding: %b" % (status, name))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=st.sampled_from(CALLS), answer=st.binary(max_size=200) | damaged() | answered())
def test_any_bytes_that_answer_any_call_end_in_an_exchange_or_in_one_sentence(
    answers: Answers, call: str, answer: bytes
):
    made = answers.check(call, answer)
    assert made is not None or call == "log in"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_answers_that_fuzzing_begins_with_hold(answers: Answers, seed: bytes):
    for call in CALLS:
        answers.check(call, seed)


def test_an_acceptance_gets_through(answers: Answers):
    made = answers.check("submit", SEEDS[0])
    assert made is not None
    assert made.answer.outcome is Outcome.ACCEPTED
