"""Time-based one-time codes (RFC 6238, SHA-1, six digits, 30 s: what every authenticator application reads). Pure."""

from __future__ import annotations

import base64
import hmac
import secrets
import struct
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
DRIFT_STEPS = 1
"""A code of the step before or after is taken as well: clocks differ, and typing takes time."""

ISSUER = "Eternal Engine"
_SECRET_BYTES = 20


def new_secret() -> str:
    """A secret in base 32, as long as the hash (RFC 4226)."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def code_at(secret: str, step: int) -> str:
    """The code of a step of time. Raises ValueError: the secret is not base 32."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: str, code: str, now_s: float, used: int = -1) -> int | None:
    """The step whose code this is, None for a wrong one. Steps up to `used` are not taken: a code counts once, and one
    that came before it does not count any more."""
    now = int(now_s // STEP_S)
    for step in range(max(now - DRIFT_STEPS, used + 1, 0), now + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            return step
    return None


def uri(secret: str, person: str) -> str:
    """What an authenticator application reads, as text or as a QR code."""
    query = {"secret": secret, "issuer": ISSUER, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{quote(ISSUER)}:{quote(person)}?{urlencode(query, quote_via=quote)}"
