"""The one judge of REST answers: what is not Bybit's envelope in full says nothing, neither success nor absence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pybit.exceptions import InvalidRequestError

from infra.bybit.parsing.fields import Row, UnparsableError, shown_text


def checked(answer: Any, request: str) -> Mapping[str, Any]:
    """The envelope of a request that succeeded. `request` is method and path.

    Raises:
        UnparsableError: not an envelope (no object; `retCode` no integer; `retMsg` no text; `result` no object). What
            became of the request is not known.
        InvalidRequestError: the exchange refused; its text is made printable and cut.
    """
    row = Row(answer, f"answer to {request}")
    code = row.raw("retCode") if row.has("retCode") else None
    if not isinstance(code, int) or isinstance(code, bool) or abs(code) > 10**9:
        found = "is missing" if not row.has("retCode") else f"is {shown_text(code, 80)}"
        raise UnparsableError(f"{row.what}: field 'retCode' {found}; a whole number is required.")
    message = row.raw("retMsg")
    if not isinstance(message, str):
        raise UnparsableError(f"{row.what}: field 'retMsg' of code {code} is no text; the answer is not complete.")
    if code:
        raise InvalidRequestError(
            request=request,
            message=shown_text(message),
            status_code=code,
            time=datetime.now(UTC).strftime("%H:%M:%S"),
            resp_headers=None,
        )
    row.row("result")
    envelope: Mapping[str, Any] = answer
    return envelope
