"""OR-9, RM-4: what is compared while a transfer's outcome is not known, which may be for hours."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.execution.parameters import OrderParameters
from statemachines.execution.reconciliation.moving import MOST_TOGETHER
from statemachines.facts import DiscrepancyFact, PostingFact
from statemachines.messages.accounts import Reconciled
from statemachines.messages.orders import StreamRestored
from statemachines.requests import Unknown
from statemachines.values import MINUTE_MS, Account
from tests.statemachines.execution.reconciliation.test_pending_at_start import settle_without
from tests.statemachines.execution.rig import Rig
from tests.statemachines.execution.test_start import order_transfer

D = Decimal
FROM = Account.TREND_1
POSITION = (FROM, "BTCUSDT")


def under_way(landed: bool, count: int = 1) -> Rig:
    """TREND-1 holds 0.5 BTCUSDT and sends 10 USDT (`count` times) to CORE-HODL; the responses were lost."""
    rig = Rig().start()
    rig.approve()
    rig.settle()
    for number in range(count):
        order_transfer(rig, f"t{number + 1}")
        (sent,) = rig.waiting("transfer:")
        if landed:
            rig.exchange.perform(Account.MASTER, rig.calls[sent].request)
        rig.answer(sent, Unknown(why="time-out"))
    return rig


def compared(rig: Rig, at_start: bool = False) -> Reconciled:
    if at_start:
        rig.crash()
    else:
        rig.tell(StreamRestored(stream="private"))
    settle_without(rig, "transfer-look:")
    return rig.bodies(Reconciled)[-1]


def ended(rig: Rig) -> Reconciled:
    """The exchange says what became of them, and all is compared once more."""
    rig.settle()
    rig.advance(MINUTE_MS)
    rig.tell(StreamRestored(stream="private"))
    rig.settle()
    for account in (FROM, Account.CORE_HODL):
        assert rig.book(account).wallet("USDT") == rig.exchange.wallets[account]["USDT"]
    return rig.bodies(Reconciled)[-1]


def adjustments(rig: Rig) -> list[Decimal]:
    """What was corrected in the wallets without an explanation."""
    postings = [one for one in rig.recorded(PostingFact) if one.kind == "adjustment"]
    return [line.amount for one in postings for line in one.lines if line.ledger_account == "wallet"]


@pytest.mark.parametrize("at_start", [False, True])
@pytest.mark.parametrize("landed", [False, True])
def test_rm4_a_wrong_position_is_seen_while_a_transfer_is_under_way(landed: bool, at_start: bool) -> None:
    """The account was left for the next pass, hour after hour: its positions with it."""
    rig = under_way(landed)
    rig.exchange.positions[POSITION] = (D("0.3"), D(30))
    found = compared(rig, at_start)
    assert (found.discrepancies, found.by_account[FROM]) == (1, 1)
    assert [fact.kind for fact in rig.recorded(DiscrepancyFact)] == ["position"]
    assert (Account.CORE_HODL in found.by_account) is not landed
    assert ended(rig).discrepancies == 0 and len(rig.recorded(DiscrepancyFact)) == 1


@pytest.mark.parametrize("at_start", [False, True])
@pytest.mark.parametrize("landed", [False, True])
def test_or9_another_coin_is_compared_while_a_transfer_is_under_way(landed: bool, at_start: bool) -> None:
    rig = under_way(landed)
    rig.exchange.wallets[FROM]["BTC"] -= D("0.00000001")
    found = compared(rig, at_start)
    assert (found.discrepancies, found.by_account[FROM]) == (1, 1)
    assert ended(rig).discrepancies == 0 and len(rig.recorded(DiscrepancyFact)) == 1


@pytest.mark.parametrize("at_start", [False, True])
@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("missing", ["-0.00000001", "0", "0.00000001", "3"])
def test_or9_a_transfer_excuses_its_own_amount_and_no_more(missing: str, landed: bool, at_start: bool) -> None:
    rig = under_way(landed)
    rig.exchange.wallets[FROM]["USDT"] -= D(missing)
    differs = D(missing) != 0
    found = compared(rig, at_start)
    assert found.discrepancies == differs and (FROM in found.by_account) is (differs or not landed)
    assert adjustments(rig) == ([-D(missing)] if differs else [])
    assert ended(rig).discrepancies == 0 and len(rig.recorded(DiscrepancyFact)) == differs


@pytest.mark.parametrize("count", [2, MOST_TOGETHER, MOST_TOGETHER + 1])
def test_or9_of_several_transfers_any_may_have_landed(count: int) -> None:
    rig = under_way(False, count)
    for name in ("t1", "t2"):
        first = next(one for one in rig.asked if one.key.startswith(f"transfer:{name}:"))
        rig.exchange.perform(Account.MASTER, first.request)
    found = compared(rig)
    assert found.discrepancies == 0 and {FROM, Account.CORE_HODL}.isdisjoint(found.by_account)
    rig.exchange.positions[POSITION] = (D("0.3"), D(30))
    assert compared(rig).by_account[FROM] == 1
    assert ended(rig).discrepancies == 0


def test_or9_an_explanation_that_was_wrong_is_found_out_by_the_outcome() -> None:
    """7 are missing and 10 are under way: the nearest is that they have left. They had not; their end shows it, and
    nothing is lost or left over."""
    rig = under_way(False)
    rig.exchange.wallets[FROM]["USDT"] -= 7
    assert compared(rig).discrepancies == 1
    assert ended(rig).discrepancies == 1 and sorted(adjustments(rig)) == [-10, 3]
    assert ended(rig).discrepancies == 0


def test_or9_a_difference_beside_a_transfer_is_believed_on_a_second_reading_only() -> None:
    rig = under_way(False)
    rig.exchange.positions[POSITION] = (D("0.3"), D(30))
    rig.tell(StreamRestored(stream="private"))
    rig.perform(rig.waiting(f"account:{FROM}")[0])
    rig.exchange.positions[POSITION] = (D("0.5"), D(50))
    settle_without(rig, "transfer-look:")
    assert rig.bodies(Reconciled)[-1].discrepancies == 0


def test_or9_what_moves_is_read_as_often_as_a_busy_account() -> None:
    rig = under_way(True)
    before = len(rig.asked)
    compared(rig)
    readings = [one for one in rig.asked[before:] if one.key.startswith(f"account:{FROM}")]
    assert len(readings) == OrderParameters().max_readings
