"""Faults of the exchange as types: what a return code, an HTTP status or a network error means for us (EX-4).

The table is bybit-v5 6.3. A write whose outcome is not certain becomes `Unknown`, never a guess; a read can simply be
repeated, so its uncertainty is `transient`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import requests
from pybit.exceptions import FailedRequestError, InvalidRequestError
from urllib3.exceptions import NewConnectionError

from infra.bybit.parsing.fields import UnparsableError, shown_text
from statemachines.requests import Accepted, ExchangeResponse, Refused, Unknown


class Fault(StrEnum):
    """What follows from an error."""

    TRANSIENT = "transient"  # the exchange did nothing; may be repeated after a delay
    UNKNOWN = "unknown"  # it may have landed: look it up
    NOT_MODIFIED = "not modified"  # it is already as requested
    GONE = "gone"  # the order is final or was never there: success for a cancel
    FUNDS = "funds"  # the operator must act
    DUPLICATE = "duplicate"  # our id exists: look it up
    PERMANENT = "permanent"  # repeating cannot help
    HALT = "halt"  # key, permission or account: nothing will work


TOO_MANY_VISITS = 10006
"""The rate limit of the account and endpoint is exceeded; nothing was done."""


class Purpose(StrEnum):
    """What was being done; decides what an uncertain outcome means."""

    READ = "read"
    WRITE = "write"
    CHANGE = "change"  # of what exists already: an order's price, a contract's leverage
    CANCEL = "cancel"


class GatewayError(Exception):
    """A request to the exchange failed; `fault` says what follows. Its text holds no secret.

    `http_status` is 0 when the exchange itself answered (then `code` is its return code); `is_unreadable`: it did, with
    something that cannot be read.
    """

    def __init__(
        self, code: int, message: str, fault: Fault, http_status: int = 0, *, is_unreadable: bool = False
    ) -> None:
        super().__init__(f"the exchange or the way to it failed with code {code} ({fault.value}): {message}")
        self.code = code
        self.message = message
        self.fault = fault
        self.http_status = http_status
        self.is_unreadable = is_unreadable


_CODES: dict[Fault, tuple[int, ...]] = {
    Fault.TRANSIENT: (10002, 10006, 10018, 429, 10429, 110079, 110009, 110020, 170810, 170005, 180023),
    Fault.UNKNOWN: (
        *(10000, 10014, 10016, 170001, 170007, 170032, 170146, 170147, 170234),
        *(131001, 131003, 131200, 131201, 131230, 180018),
    ),
    Fault.NOT_MODIFIED: (110025, 110026, 110027, 110043, 34040),
    Fault.GONE: (110001, 170213, 110008, 110010, 170139, 170142, 170190),
    Fault.FUNDS: (
        *(110004, 110006, 110007, 110012, 110014, 110044, 110045, 170131, 170033),
        *(131212, 131228, 180016),
    ),
    Fault.DUPLICATE: (110072, 170141, 131214, 180025, 180031),
    Fault.HALT: (10003, 10004, 10005, 10007, 10010, 33004, -2015, 10008, 10009, 10024, 10027),
    Fault.PERMANENT: (
        *(10001, 10017, 10029, 10032, 110003, 30208, 30209, 170132, 170133, 170193, 170194, 110120, 110121),
        *(170371, 170372, 110013, 110036, 110038, 110086, 110090, 110017, 110021, 110022, 110023, 110042, 30228),
        *(110074, 110024, 110028, 110092, 110093, 110094, 110108, 110109, 170140, 170124, 170134, 170136, 170137),
        *(170148, 170381, 170382, 170341, 170210, 170217, 170218, 170121, 170151, 170157, 170221),
        *(180001, 180007, 180012, 180014, 180015),
    ),
}
_FAULT_OF: dict[int, Fault] = {code: fault for fault, codes in _CODES.items() for code in codes}

_SYMBOL_UNKNOWN: frozenset[int] = frozenset({10029, 170121, 170151, 110074})

_BUSINESS_RANGES = (range(110_000, 111_000), range(170_000, 180_000), range(131_000, 132_000))


def fault_of_code(code: int) -> Fault:
    """The fault of a return code. A code of the trading modules that the table lacks is a refusal all the same;
    any other unlisted code leaves the outcome open."""
    known = _FAULT_OF.get(code)
    if known is not None:
        return known
    return Fault.PERMANENT if any(code in span for span in _BUSINESS_RANGES) else Fault.UNKNOWN


def fault_of_status(status: int) -> Fault:
    """The fault of an HTTP status other than 200."""
    if status in (403, 429):
        return Fault.TRANSIENT
    if status == 401:
        return Fault.HALT
    if status in (404, 405, 413, 414, 422):
        return Fault.PERMANENT
    return Fault.UNKNOWN


def is_symbol_unknown(error: GatewayError) -> bool:
    """Whether a code says "no such symbol" (or not yet live) and nothing else. Texts decide nothing: see `listing`."""
    return error.code in _SYMBOL_UNKNOWN and not error.http_status


def classify(error: Exception) -> GatewayError:
    """Turn an exception of pybit, requests or our parsers into a GatewayError.

    Any other exception is a programming error and is raised again.
    """
    match error:
        case GatewayError():
            return error
        case InvalidRequestError():
            return error_of_code(error.status_code, str(error.message))
        case FailedRequestError():
            status = int(error.status_code)
            return GatewayError(status, f"HTTP status {status}: {error.message}", fault_of_status(status), status)
        case UnparsableError():
            return GatewayError(0, str(error), Fault.UNKNOWN, is_unreadable=True)
        case requests.exceptions.ConnectTimeout():
            return GatewayError(0, "no connection to the exchange in time; nothing was sent", Fault.TRANSIENT)
        case requests.exceptions.ConnectionError() if _never_connected(error):
            return GatewayError(0, "the exchange refused the connection; nothing was sent", Fault.TRANSIENT)
        case requests.exceptions.RequestException():
            return GatewayError(0, f"the network failed while waiting: {type(error).__name__}", Fault.UNKNOWN)
        case PermissionError():
            return GatewayError(0, "the account has no API key", Fault.HALT)
    raise error


def outcome_of(error: Exception, purpose: Purpose) -> ExchangeResponse:
    """The answer to the request queue; refusals and unknown outcomes are answers, not exceptions."""
    fault = classify(error)
    if fault.fault is Fault.NOT_MODIFIED and purpose is Purpose.CHANGE:
        return Accepted(already=True)
    if fault.fault is Fault.GONE and purpose is Purpose.CANCEL:
        return Accepted(already=True)
    match fault.fault:
        # "Not modified" is an answer to a change only: of anything else it says nothing.
        case Fault.NOT_MODIFIED if purpose is Purpose.READ:
            return Refused(code=fault.code, message=fault.message, fault="transient")
        case Fault.NOT_MODIFIED:
            return Unknown(why=f"code {fault.code}: {fault.message}")
        case Fault.UNKNOWN if purpose is Purpose.READ:
            return Refused(code=fault.code, message=fault.message, fault="transient")
        case Fault.UNKNOWN:
            return Unknown(why=f"code {fault.code}: {fault.message}")
        case Fault.TRANSIENT:
            return Refused(code=fault.code, message=fault.message, fault="transient")
        case Fault.FUNDS:
            return Refused(code=fault.code, message=fault.message, fault="funds")
        case Fault.DUPLICATE:
            return Refused(code=fault.code, message=fault.message, fault="duplicate")
        case Fault.HALT:
            return Refused(code=fault.code, message=fault.message, fault="halt")
    return Refused(code=fault.code, message=fault.message, fault="permanent")


def error_of_code(code: Any, message: str, field: str = "retCode") -> GatewayError:
    """The error that a code of the exchange stands for; one that is no whole number leaves the outcome open."""
    if not isinstance(code, int) or isinstance(code, bool):
        return GatewayError(0, f"field {field!r} is {shown_text(code, 80)}; a whole number is required", Fault.UNKNOWN)
    if code == 10001 and "remains unchanged" in message:
        # Amending to what the order already is has no code of its own.
        return GatewayError(code, message, Fault.NOT_MODIFIED)
    return GatewayError(code, message, fault_of_code(code))


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    """Whether the connection was never made, so that nothing can have been sent."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)
