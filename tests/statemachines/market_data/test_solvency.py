"""FU-9, CH-9: when the exchange's solvency is read, what is passed on, and what is not known is never good."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from statemachines.actor_logic import ENDLESS_LOOKAHEAD, NO_LOOKAHEAD
from statemachines.commands import Alert, AlertEnded, Command, Send
from statemachines.limits.insurance_fund import MOST_READINGS
from statemachines.market_data.solvency import FAILURES_UNTIL_UNREAD, REGULAR_MS, SolvencyWatch
from statemachines.messages.market import DataUnusable, InsuranceSeen, WithdrawalsSeen
from statemachines.requests import WHOLE_ACCOUNT, Unknown
from statemachines.solvency.terms import COINS, INSURANCE, CoinWithdrawals, SolvencyRead
from statemachines.unusable_data import UnusableData
from statemachines.values import HOUR_MS, MINUTE_MS
from tests.statemachines.market_data.world import D0, PARAMETERS, World, started

T0 = 20_000 * 24 * HOUR_MS


def watch(every_ms: int | None = None) -> SolvencyWatch:
    return SolvencyWatch(("BTCUSDT",), every_ms, UnusableData("market data"))


def read(fund: str | None = "1000", suspended: str = "", unread: dict[str, str] | None = None) -> SolvencyRead:
    missing = unread or {}
    coins = [
        CoinWithdrawals(coin=coin, chains=3, open_chains=0 if coin == suspended else 1)
        for coin in COINS
        if coin not in missing
    ]
    balance = None if fund is None else Decimal(fund)
    return SolvencyRead(market_ms=0, insurance_usdt=balance, withdrawals=tuple(coins), unread=missing)


def funds(commands: Sequence[Command]) -> list[InsuranceSeen]:
    return [one.body for one in commands if isinstance(one, Send) and isinstance(one.body, InsuranceSeen)]


def statuses(commands: Sequence[Command]) -> list[WithdrawalsSeen]:
    return [one.body for one in commands if isinstance(one, Send) and isinstance(one.body, WithdrawalsSeen)]


def unusable(commands: Sequence[Command]) -> list[DataUnusable]:
    return [one.body for one in commands if isinstance(one, Send) and isinstance(one.body, DataUnusable)]


def test_in_lockstep_it_is_read_every_eight_hours_and_a_minute_after_a_change() -> None:
    ours = watch()
    assert [at for at in range(0, 24 * HOUR_MS, HOUR_MS) if ours.is_due_at_close(at)] == [0, REGULAR_MS, 2 * REGULAR_MS]
    ours.take(read(), T0)
    assert ours.due_ms is None, "the first reading needs no confirmation"
    ours.take(read("600"), T0 + REGULAR_MS)
    assert ours.due_ms == T0 + REGULAR_MS + MINUTE_MS
    assert not ours.is_due(T0 + REGULAR_MS + MINUTE_MS - 1) and ours.is_due(T0 + REGULAR_MS + MINUTE_MS)
    ours.take(read("600"), T0 + REGULAR_MS + MINUTE_MS)
    assert ours.due_ms is None


def test_on_a_real_exchange_it_is_read_every_minute() -> None:
    ours = watch(MINUTE_MS)
    assert not ours.is_due_at_close(0)
    ours.take(read(), T0)
    assert ours.due_ms == T0 + MINUTE_MS
    ours.failed("no answer", T0 + MINUTE_MS)
    assert ours.due_ms == T0 + 2 * MINUTE_MS


def test_a_first_reading_that_is_bad_is_confirmed() -> None:
    ours = watch()
    assert statuses(ours.take(read(suspended="ETH"), T0))
    assert ours.due_ms == T0 + MINUTE_MS


def test_a_change_is_passed_on_twice_and_what_is_equal_every_eight_hours() -> None:
    ours = watch(MINUTE_MS)
    balances = ["1000"] * 5 + ["1200"] * 500
    told = [
        (minute, funds(ours.take(read(balance), T0 + minute * MINUTE_MS))) for minute, balance in enumerate(balances)
    ]
    assert [minute for minute, found in told if found] == [0, 5, 6, 6 + 480]


def test_every_change_of_the_status_is_passed_on_and_confirmed() -> None:
    ours = watch(MINUTE_MS)
    coins = ["", "", "USDT", "USDT", "USDT", "", "", ""]
    told = [statuses(ours.take(read(suspended=coin), T0 + n * MINUTE_MS)) for n, coin in enumerate(coins)]
    assert [n for n, found in enumerate(told) if found] == [0, 2, 3, 4, 5, 6]
    assert [one.coin for one in told[3][0].coins if one.is_suspended] == ["USDT"]


def test_a_fund_that_has_fallen_is_passed_on_as_often_as_a_switch_may_require() -> None:
    """With three readings required the switch tripped eight hours late."""
    ours = watch(MINUTE_MS)
    balances = ["1000", "1000", "600"] + ["600"] * 30
    told = [bool(funds(ours.take(read(one), T0 + n * MINUTE_MS))) for n, one in enumerate(balances)]
    assert [n for n, is_told in enumerate(told) if is_told] == [0, *range(2, 3 + MOST_READINGS)]


def test_suspended_withdrawals_are_passed_on_at_every_reading_of_a_real_exchange() -> None:
    """A switch may require a hundred readings, an hour apart."""
    ours, minutes = watch(MINUTE_MS), 200
    told = [bool(statuses(ours.take(read(suspended="BTC"), T0 + n * MINUTE_MS))) for n in range(minutes)]
    assert told == [True] * minutes
    again = [bool(statuses(ours.take(read(), T0 + (minutes + n) * MINUTE_MS))) for n in range(4)]
    assert again == [True, True, False, False]


@pytest.mark.parametrize(
    ("balance", "is_told"), [("999", False), ("1001", False), ("998.999", True), ("1001.001", True)]
)
def test_a_balance_within_a_thousandth_is_the_same(balance: str, is_told: bool) -> None:
    ours = watch(MINUTE_MS)
    ours.take(read(), T0)
    assert bool(funds(ours.take(read(balance), T0 + MINUTE_MS))) is is_told


def test_what_cannot_be_read_halts_the_entries_that_rest_on_it_until_it_can() -> None:
    """Missing is never good: no message, and no new risk of FUNDING, or on the coin's markets."""
    ours = watch()
    commands = ours.take(read(None, unread={INSURANCE: "balance is ''", "ETH": "chains is missing"}), T0)
    assert not funds(commands)
    assert [(one.category, one.symbol) for one in unusable(commands)] == [(WHOLE_ACCOUNT, "FUNDING"), ("", "ETH")]
    assert [one.coin for one in statuses(commands)[0].coins] == ["BTC", "USDT"]
    ended = unusable(ours.take(read(), T0 + MINUTE_MS))
    assert {(one.symbol, one.reason) for one in ended} == {("FUNDING", ""), ("ETH", "")}


def test_a_failed_reading_says_nothing_and_the_third_in_a_row_is_unread() -> None:
    ours = watch(MINUTE_MS)
    ours.take(read(), T0)
    said = [ours.failed("no answer", T0 + n * MINUTE_MS) for n in range(1, FAILURES_UNTIL_UNREAD + 3)]
    assert [bool(one) for one in said] == [n == FAILURES_UNTIL_UNREAD for n in range(1, FAILURES_UNTIL_UNREAD + 3)]
    assert {one.symbol for one in unusable(said[FAILURES_UNTIL_UNREAD - 1])} == {"FUNDING", *COINS}
    again = ours.take(read(), T0 + HOUR_MS)
    assert {one.symbol for one in unusable(again)} == {"FUNDING", *COINS}
    ours.failed("no answer", T0 + 2 * HOUR_MS)
    assert not ours.failed("no answer", T0 + 3 * HOUR_MS), "a success in between starts the count anew"


def test_an_exchange_that_shows_none_of_it_is_told_once_and_halts_nothing() -> None:
    """Demo trading has no endpoint for coins: what cannot be seen there is said, and the rest is traded."""
    ours = watch()
    blind = SolvencyRead(market_ms=0, no_access="BTC: code 10032: demo trading")
    first = ours.take(blind, T0)
    assert [one.condition for one in first if isinstance(one, Alert)] == ["solvency-access"] and not unusable(first)
    assert ours.take(blind, T0 + REGULAR_MS) == []
    assert any(isinstance(one, AlertEnded) for one in ours.take(read(), T0 + 2 * REGULAR_MS))


# --- within market data ---


def asked(world: World) -> int:
    return sum(request.kind == "read_solvency" for request in world.exchange.asked)


def test_market_data_reads_it_at_the_start_and_at_every_settlement_in_lockstep() -> None:
    world = started(D0 + 90 * MINUTE_MS)
    counts = [asked(world)]
    for hour in range(2, 26):
        world.bars(D0 + hour * HOUR_MS)
        counts.append(asked(world))
    assert counts == [1] * 7 + [2] * 8 + [3] * 8 + [4] * 2
    assert [type(body) for _, body in world.sent].count(WithdrawalsSeen) == 3, (
        "at 01:30, not yet at 08:00, at 16 and 24:00"
    )


def test_a_change_is_confirmed_a_minute_later_and_no_hour_is_skipped_meanwhile() -> None:
    world = started(D0 + 90 * MINUTE_MS)
    world.exchange.replace["read_solvency"] = lambda _request: read("600", suspended="USDT")
    for hour in range(2, 9):
        world.bars(D0 + hour * HOUR_MS)
    due = world.logic.deadline()
    assert due == D0 + 8 * HOUR_MS + MINUTE_MS and world.logic.lookahead() == NO_LOOKAHEAD
    world.next_tick()
    assert world.logic.deadline() == D0 + 9 * HOUR_MS + 5_000 and world.logic.lookahead() == ENDLESS_LOOKAHEAD
    seen = [body.market_ms for _, body in world.sent if isinstance(body, WithdrawalsSeen)][-2:]
    assert seen == [D0 + 8 * HOUR_MS, D0 + 8 * HOUR_MS + MINUTE_MS], "R2: two readings a minute apart"


def test_on_a_real_exchange_market_data_reads_it_every_minute_even_if_it_fails() -> None:
    world = World(parameters=PARAMETERS.model_copy(update={"solvency_every_ms": MINUTE_MS}))
    world.start(D0 + 90 * MINUTE_MS)
    world.exchange.replace["read_solvency"] = lambda _request: Unknown(why="no answer")
    for _ in range(5):
        world.next_tick()
    assert asked(world) == 6 and world.now_ms == D0 + 95 * MINUTE_MS
    assert {alert.title for alert in world.alerts} == {
        f"market data: data of {what} cannot be used" for what in ("account FUNDING", *COINS)
    }


def test_a_new_incarnation_reads_it_again() -> None:
    world = started(D0 + 90 * MINUTE_MS)
    world.exchange.replace["read_solvency"] = lambda _request: read(suspended="ETH")
    world.start(D0 + 100 * MINUTE_MS)
    assert world.logic.deadline() == D0 + 101 * MINUTE_MS
    world.next_tick()
    assert [body.market_ms for _, body in world.sent if isinstance(body, WithdrawalsSeen)][-1] == D0 + 101 * MINUTE_MS
