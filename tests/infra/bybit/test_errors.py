"""EX-4, EX-1: what each failure of the exchange means for a write, a cancel and a read."""

from __future__ import annotations

import pytest
import requests
from pybit.exceptions import FailedRequestError, InvalidRequestError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from infra.bybit.errors import (
    Fault,
    GatewayError,
    Purpose,
    classify,
    fault_of_code,
    fault_of_status,
    is_symbol_unknown,
    outcome_of,
)
from infra.bybit.parsing.fields import UnparsableError
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
        (401, Fault.HALT),
        (404, Fault.PERMANENT),
        (405, Fault.PERMANENT),
        (413, Fault.PERMANENT),
        (414, Fault.PERMANENT),
        (422, Fault.PERMANENT),
        (400, Fault.UNKNOWN),
        (402, Fault.UNKNOWN),
        (430, Fault.UNKNOWN),
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
    assert outcome_of(refusal(110043), Purpose.CHANGE) == Accepted(already=True)
    unchanged = refusal(10001, "The order remains unchanged as the parameters entered match the existing ones.")
    assert outcome_of(unchanged, Purpose.CHANGE) == Accepted(already=True)
    for error in (refusal(110043), refusal(34040), unchanged):
        # Of a placement or a transfer it says nothing: a transfer was booked that had never happened.
        assert isinstance(outcome_of(error, Purpose.WRITE), Unknown)
        assert isinstance(outcome_of(error, Purpose.CANCEL), Unknown)
        read = outcome_of(error, Purpose.READ)
        assert isinstance(read, Refused) and read.fault == "transient"


def test_a_return_code_of_the_wrong_type_leaves_the_outcome_open() -> None:
    assert isinstance(outcome_of(refusal("0"), Purpose.WRITE), Unknown)


def test_programming_errors_are_not_swallowed() -> None:
    with pytest.raises(KeyError):
        outcome_of(KeyError("x"), Purpose.READ)


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        (Fault.TRANSIENT, [10002, 10006, 10018, 429, 10429, 110079, 110009, 110020, 170810, 170005, 180023]),
        (Fault.UNKNOWN, [10014, 170001, 170032, 170146, 170147, 170234, 131001, 131003, 131201, 131230, 180018]),
        (Fault.NOT_MODIFIED, [110025, 110026, 110027, 110043, 34040]),
        (Fault.GONE, [110008, 110010, 170139, 170142, 170190]),
        (Fault.FUNDS, [110004, 110006, 110012, 110014, 110044, 110045, 170033, 131212, 180016]),
        (Fault.DUPLICATE, [180025, 180031]),
        (Fault.HALT, [10004, 10007, 10010, 10008, 10009, 10024, 10027]),
        (Fault.PERMANENT, [10001, 10017, 10029, 10032, 30208, 30209, 30228]),
    ],
)
def test_codes_whose_meaning_no_range_gives(fault: Fault, codes: list[int]) -> None:
    """A code that slipped out of its row would be a guess of the range it lies in: a refusal, or an open outcome."""
    assert {code: fault_of_code(code) for code in codes} == dict.fromkeys(codes, fault)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        *[
            (110_000, Fault.PERMANENT),
            (170_000, Fault.PERMANENT),
            (179_999, Fault.PERMANENT),
            (131_999, Fault.PERMANENT),
        ],
        *[(code, Fault.UNKNOWN) for code in (109_999, 111_000, 130_999, 132_000, 169_999, 180_000)],
    ],
)
def test_an_unlisted_code_is_a_refusal_only_in_the_ranges_of_the_trading_modules(code: int, fault: Fault) -> None:
    assert fault_of_code(code) is fault


@pytest.mark.parametrize(
    ("code", "message", "is_unknown"),
    [(10001, "Not supported SYMBOLS", False), (10001, "interval invalid", False), (110001, "symbol", False)]
    + [(code, "no", True) for code in (10029, 170121, 170151, 110074)],
)
def test_only_these_answers_say_that_a_symbol_is_not_listed(code: int, message: str, is_unknown: bool) -> None:
    assert is_symbol_unknown(GatewayError(code, message, Fault.PERMANENT)) is is_unknown


@pytest.mark.parametrize("code", [True, False, None, "0", 0.0])
def test_a_return_code_that_is_no_whole_number_is_never_taken_as_one(code: object) -> None:
    """pybit takes an answer without a truthy code for a success."""
    fault = classify(refusal(code))
    assert (fault.code, fault.fault) == (0, Fault.UNKNOWN)


def test_what_an_account_without_a_key_and_an_unreadable_answer_mean() -> None:
    halted = outcome_of(PermissionError("x"), Purpose.READ)
    assert isinstance(halted, Refused) and halted.fault == "halt"
    unreadable = classify(UnparsableError("x: y."))
    assert unreadable.is_unreadable and not classify(failure(502)).is_unreadable
    assert not classify(refusal(10016)).is_unreadable
    assert classify(refusal(10016)).http_status == 0, "the exchange itself answered"


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize(
    ("code", "fault"), [(110007, "funds"), (110072, "duplicate"), (10005, "halt"), (110017, "permanent")]
)
def test_a_clear_refusal_means_the_same_for_every_purpose(purpose: Purpose, code: int, fault: str) -> None:
    outcome = outcome_of(refusal(code, "why"), purpose)
    assert isinstance(outcome, Refused) and (outcome.code, outcome.fault, outcome.message) == (code, fault, "why")


def test_a_lost_cancel_is_unknown_and_an_order_gone_is_no_success_for_a_read() -> None:
    assert isinstance(outcome_of(refusal(10016), Purpose.CANCEL), Unknown)
    gone = outcome_of(refusal(110001), Purpose.READ)
    assert isinstance(gone, Refused) and gone.fault == "permanent"
