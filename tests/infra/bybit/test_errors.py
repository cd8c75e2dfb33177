"""EX-4, EX-1: what each failure of the exchange means for a write, a cancel and a read."""

from __future__ import annotations

import pytest
import requests
from pybit.exceptions import FailedRequestError, InvalidRequestError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from infra.bybit.errors import Fault, Purpose, classify, fault_of_code, fault_of_status, outcome_of
from infra.bybit.fields import UnparsableError
from statemachines.requests import Accepted, Refused, Unknown


def refusal(code: object, message: str = "no") -> InvalidRequestError:
    return InvalidRequestError(request="POST /x: {}", message=message, status_code=code, time="", resp_headers=None)


def failure(status: int) -> FailedRequestError:
    return FailedRequestError(request="POST /x: {}", message="bad", status_code=status, time="", resp_headers=None)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (10006, Fault.TRANSIENT),
        (10002, Fault.TRANSIENT),
        (10000, Fault.UNKNOWN),
        (10016, Fault.UNKNOWN),
        (170007, Fault.UNKNOWN),
        (131200, Fault.UNKNOWN),
        (10003, Fault.HALT),
        (10005, Fault.HALT),
        (33004, Fault.HALT),
        (-2015, Fault.HALT),
        (110007, Fault.FUNDS),
        (170131, Fault.FUNDS),
        (131228, Fault.FUNDS),
        (110072, Fault.DUPLICATE),
        (170141, Fault.DUPLICATE),
        (131214, Fault.DUPLICATE),
        (110043, Fault.NOT_MODIFIED),
        (110001, Fault.GONE),
        (170213, Fault.GONE),
        (110017, Fault.PERMANENT),
        (170140, Fault.PERMANENT),
        (110999, Fault.PERMANENT),
        (99999, Fault.UNKNOWN),
    ],
)
def test_the_code_table(code: int, fault: Fault) -> None:
    assert fault_of_code(code) is fault


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (403, Fault.TRANSIENT),
        (429, Fault.TRANSIENT),
        (500, Fault.UNKNOWN),
        (503, Fault.UNKNOWN),
        (404, Fault.PERMANENT),
    ],
)
def test_http_statuses(status: int, fault: Fault) -> None:
    assert fault_of_status(status) is fault
    assert classify(failure(status)).http_status == status


def test_a_write_of_unknown_outcome_is_unknown_and_a_read_can_be_repeated() -> None:
    for error in (refusal(10016), failure(502), requests.exceptions.ReadTimeout(), UnparsableError("x: y.")):
        assert isinstance(outcome_of(error, Purpose.WRITE), Unknown)
        read = outcome_of(error, Purpose.READ)
        assert isinstance(read, Refused) and read.fault == "transient"


def test_a_reset_connection_is_unknown_but_a_refused_one_sent_nothing() -> None:
    reset = requests.exceptions.ConnectionError(ConnectionResetError("reset"))
    assert isinstance(outcome_of(reset, Purpose.WRITE), Unknown)
    inner = MaxRetryError(None, "/x", NewConnectionError(None, "refused"))  # type: ignore[arg-type]
    never = requests.exceptions.ConnectionError(inner)
    for error in (never, requests.exceptions.ConnectTimeout()):
        outcome = outcome_of(error, Purpose.WRITE)
        assert isinstance(outcome, Refused) and outcome.fault == "transient"


def test_an_order_that_is_gone_is_success_for_a_cancel_only() -> None:
    assert outcome_of(refusal(110001), Purpose.CANCEL) == Accepted(already=True)
    amended = outcome_of(refusal(110001), Purpose.WRITE)
    assert isinstance(amended, Refused) and amended.fault == "permanent"


def test_not_modified_is_success() -> None:
    assert outcome_of(refusal(110043), Purpose.WRITE) == Accepted(already=True)
    unchanged = refusal(10001, "The order remains unchanged as the parameters entered match the existing ones.")
    assert outcome_of(unchanged, Purpose.WRITE) == Accepted(already=True)


def test_a_return_code_of_the_wrong_type_leaves_the_outcome_open() -> None:
    assert isinstance(outcome_of(refusal("0"), Purpose.WRITE), Unknown)


def test_programming_errors_are_not_swallowed() -> None:
    with pytest.raises(KeyError):
        outcome_of(KeyError("x"), Purpose.READ)
