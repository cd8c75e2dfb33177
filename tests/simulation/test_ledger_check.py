"""OR-6: the whole system on an exchange that moves money on its own; the ledger proves every entry against its log."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from actors.runtime.memory_store import MemoryStore
from infra.backtest.system import InProcessSystem
from statemachines.facts import AlertFact
from statemachines.ledger.check import LedgerEntry
from statemachines.ledger.postings import FEES, WALLET
from statemachines.values import DAY_MS, Account
from tests.simulation.crash_day.ledger_checks import check, entries_of
from tests.simulation.whole import build, synthetic

D = Decimal
DAYS = 25

MOVEMENTS: tuple[tuple[int, Account, str, str, str, str], ...] = (
    (5, Account.TREND_1, "USDT", "INTEREST", "-3.21", "0"),
    (5, Account.CORE_HODL, "USDT", "BONUS", "12.5", "0"),
    (6, Account.CORE_HODL, "USDT", "BONUS_RECOLLECT", "-12.5", "0"),
    (7, Account.CORE_HODL, "USDT", "CURRENCY_SELL", "-10", "0.02"),
    (7, Account.CORE_HODL, "BTC", "CURRENCY_BUY", "0.00015", "0"),
    (9, Account.CORE_HODL, "USDT", "FLEXIBLE_STAKING_SUBSCRIPTION", "-50", "0"),
    (12, Account.CORE_HODL, "USDT", "FLEXIBLE_STAKING_REDEMPTION", "50", "0"),
    (13, Account.FUNDING, "USDT", "ALPHA_SMALL_TOKEN_REFUND", "0.00000001", "0"),
    (14, Account.MASTER, "USDT", "TRANSFER_IN", "1000", "0"),
    (15, Account.TREND_2, "USDT", "TRANSFER_OUT", "-25", "0"),
    (15, Account.TREND_2, "USDT", "SOMETHING_NEW", "1.5", "0"),
)
"""Day, account, coin, type, amount, fee: what nobody announces."""


@pytest.fixture(scope="module")
def moved() -> tuple[InProcessSystem, MemoryStore]:
    """A run in which the movements happened, to its last full day."""
    store = MemoryStore()
    market = synthetic(DAYS)
    system = build(market, store)
    system.start()
    for day, account, coin, kind, amount, fee in MOVEMENTS:
        system.run(market.start_ms + day * DAY_MS + DAY_MS // 2)
        system.exchange.transact(account.value, coin, kind, D(amount), D(fee), {})
    system.run(market.start_ms + (DAYS - 3) * DAY_MS + 1)
    return system, store


def test_or6_every_account_agrees_with_the_exchange_to_the_last_unit(
    moved: tuple[InProcessSystem, MemoryStore],
) -> None:
    system, store = moved
    compared = 0
    for account in Account:
        result = check(system.exchange, entries_of(store, account), account)
        assert result.differences == [], account
        # What came into the master account was distributed to the last unit (OR-5).
        assert (result.figures or account is Account.MASTER) and all(figure.is_equal for figure in result.figures)
        compared += result.entries
    assert compared > 100, "a run that traded nothing proves nothing"
    told = [alert for alert in store.facts(AlertFact.TABLE) if isinstance(alert, AlertFact)]
    assert [alert.condition for alert in told if "suspense" in alert.condition] == ["suspense:TREND-2:SOMETHING_NEW"]
    assert not [alert for alert in told if "reconciliation" in alert.title]


def test_or6_the_check_holds_at_any_instant_of_a_running_system(moved: tuple[InProcessSystem, MemoryStore]) -> None:
    """The exchange's balance at an instant is its wallet now less what happened since."""
    system, store = moved
    for days in (4, 8, 16):
        at_ms = system.exchange.venue.market.start_ms + days * DAY_MS - 1
        for account in Account:
            assert check(system.exchange, entries_of(store, account), account, at_ms).differences == []


def _trade(entries: list[LedgerEntry]) -> LedgerEntry:
    return next(entry for entry in entries if entry.kind == "fill" and (FEES, "USDT") in entry.lines)


def _removed(entries: list[LedgerEntry]) -> tuple[str, str]:
    planted = _trade(entries)
    entries.remove(planted)
    return planted.posting_id.rpartition(":")[2], "missing"


def _doubled(entries: list[LedgerEntry]) -> tuple[str, str]:
    planted = _trade(entries)
    entries.append(planted._replace(posting_id=planted.posting_id + "-again"))
    return planted.posting_id + "-again", "surplus"


def _twice_in_one(entries: list[LedgerEntry]) -> tuple[str, str]:
    planted = _trade(entries)
    twice = {key: amount * 2 for key, amount in planted.lines.items()}
    entries[entries.index(planted)] = planted._replace(lines=twice)
    return planted.posting_id, "amount"


def _changed(entries: list[LedgerEntry]) -> tuple[str, str]:
    planted = _trade(entries)
    unit = D("0.00000001")
    lines = dict(planted.lines)
    lines[(WALLET, "USDT")] += unit
    lines[(FEES, "USDT")] -= unit
    entries[entries.index(planted)] = planted._replace(lines=lines)
    return planted.posting_id, "amount"


def _misplaced(entries: list[LedgerEntry]) -> tuple[str, str]:
    planted = _trade(entries)
    lines = dict(planted.lines)
    lines[("funding", "USDT")] = lines.pop((FEES, "USDT"))
    entries[entries.index(planted)] = planted._replace(lines=lines)
    return planted.posting_id, "account"


def _transfer_removed(entries: list[LedgerEntry]) -> tuple[str, str]:
    planted = next(entry for entry in entries if entry.kind == "transfer")
    entries.remove(planted)
    return "", "missing"


def _row_of_the_log_removed(entries: list[LedgerEntry]) -> tuple[str, str]:
    planted = next(entry for entry in entries if entry.posting_id.startswith("log:"))
    entries.remove(planted)
    return planted.posting_id.split(":")[2], "missing"


DEFECTS: tuple[Callable[[list[LedgerEntry]], tuple[str, str]], ...] = (
    _removed, _doubled, _twice_in_one, _changed, _misplaced, _transfer_removed, _row_of_the_log_removed,
)  # fmt: skip


@pytest.mark.parametrize("plant", DEFECTS)
def test_a_planted_defect_is_named(
    moved: tuple[InProcessSystem, MemoryStore], plant: Callable[[list[LedgerEntry]], tuple[str, str]]
) -> None:
    system, store = moved
    account = Account.FUNDING if plant is _transfer_removed else Account.TREND_1
    entries = entries_of(store, account)
    name, fault = plant(entries)
    found = [one for one in check(system.exchange, entries, account).differences if one.entry]
    assert len(found) == 1, found
    assert found[0].fault == fault and name in f"{found[0].entry} {found[0].text}" and found[0].time_ms > 0
