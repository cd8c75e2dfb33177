"""DE-3: codes of a second factor, against the vectors of RFC 6238; each counts once."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from api.access.totp import STEP_S, code_at, new_secret, step_of, uri

RFC = base64.b32encode(b"12345678901234567890").decode()
NOW_S = 1_111_111_109.0
STEP = int(NOW_S // STEP_S)


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ],
)
def test_the_vectors_of_the_standard(at_s: int, code: str) -> None:
    """RFC 6238, appendix B; of its eight digits the last six are ours."""
    assert code_at(RFC, at_s // STEP_S) == code[2:]
    assert step_of(RFC, code[2:], at_s) == at_s // STEP_S


@pytest.mark.parametrize(("drift", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_off_by_one_step(drift: int, is_taken: bool) -> None:
    assert (step_of(RFC, code_at(RFC, STEP + drift), NOW_S) is not None) is is_taken


@pytest.mark.parametrize("drift", [-1, 0, 1])
def test_a_code_counts_once_and_none_before_it_counts_any_more(drift: int) -> None:
    used = step_of(RFC, code_at(RFC, STEP + drift), NOW_S)
    assert used == STEP + drift
    steps = (STEP - 1, STEP, STEP + 1)
    left = [step for step in steps if step_of(RFC, code_at(RFC, step), NOW_S, used) is not None]
    assert left == [step for step in steps if step > used]


@pytest.mark.parametrize("code", ["", "0", "081805", "7081804", "07081804", "081804 ", "０８１８０４"])
def test_another_text_is_no_code(code: str) -> None:
    assert step_of(RFC, code, NOW_S) is None


def test_what_an_authenticator_reads() -> None:
    secret = new_secret()
    assert len(base64.b32decode(secret)) == 20 and new_secret() != secret
    parts = urlsplit(uri(secret, "alice"))
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/Eternal Engine:alice")
    assert parse_qs(parts.query) == {
        "secret": [secret],
        "issuer": ["Eternal Engine"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
