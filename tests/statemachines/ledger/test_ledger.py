"""OR-6: postings balance per coin; book, position and trial balance are exact."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.facts import PostingFact, PostingLine
from statemachines.ledger.account_ledger import AccountLedger, trial_balance
from statemachines.ledger.positions import Position, apply_execution
from statemachines.ledger.postings import (
    UNEXPLAINED,
    UnbalancedPostingError,
    balanced,
    correction_posting,
    fill_posting,
    funding_posting,
    opening_posting,
    transfer_posting,
)
from statemachines.requests import ExecutionReport
from statemachines.values import Account, Side

D = Decimal
ACCOUNT = Account.FUNDING


def row(**changes: Any) -> ExecutionReport:
    fields: dict[str, Any] = {
        "account": ACCOUNT, "execution_id": "e1", "client_order_id": "", "venue_order_id": "x1", "category": "spot",
        "symbol": "BTCUSDT", "side": Side.BUY, "quantity": D("0.3"), "price": D("60000.1"), "fee": D("0.0003"),
        "fee_coin": "BTC", "fee_rate": D("0.001"), "is_maker": False, "realized_pnl": D(0),
        "execution_type": "Trade", "executed_ms": 1,
    }  # fmt: skip
    return ExecutionReport(**{**fields, **changes})


def booked(*postings: PostingFact | None) -> AccountLedger:
    book = AccountLedger(ACCOUNT)
    for posting in postings:
        if posting is not None:
            book.post(posting)
    return book


def test_or6_spot_buy_pays_its_fee_in_the_coin() -> None:
    book = booked(fill_posting(row(), "BTC", "USDT", D(0)))
    assert book.coins() == {"BTC": D("0.2997"), "USDT": D("-18000.03")}


def test_taxes_in_another_coin_are_fees_of_that_coin() -> None:
    plain, taxed = row(fee_coin="BTC"), row(fee_coin="BTC", extra_fees=(("USDT", D("0.75")),))
    before, after = booked(fill_posting(plain, "BTC", "USDT", D(0))), booked(fill_posting(taxed, "BTC", "USDT", D(0)))
    assert after.coins()["BTC"] == before.coins()["BTC"]
    assert before.coins()["USDT"] - after.coins()["USDT"] == D("0.75")


def test_or6_spot_sale_pays_its_fee_in_usdt() -> None:
    book = booked(fill_posting(row(side=Side.SELL, fee=D("18"), fee_coin="USDT"), "BTC", "USDT", D(0)))
    assert book.coins() == {"BTC": D("-0.3"), "USDT": D("17982.03")}


def test_or6_linear_fill_moves_only_realised_profit_and_fee() -> None:
    fill = row(category="linear", fee=D("9.9"), fee_coin="USDT")
    assert booked(fill_posting(fill, "BTC", "USDT", D("120.5"))).coins() == {"USDT": D("110.6")}


@pytest.mark.parametrize(("fee", "wallet"), [("1.25", "-1.25"), ("-0.75", "0.75")])
def test_fu6_funding_paid_is_a_cost_and_received_an_income(fee: str, wallet: str) -> None:
    """Elsewhere funding was computed from rate and position, and drifted from the account. Here the exchange's own row
    is booked."""
    posting = funding_posting(row(category="linear", execution_type="Funding", fee=D(fee), fee_coin="USDT"), "USDT")
    assert posting.kind == "funding" and booked(posting).wallet("USDT") == D(wallet)


def test_or6_a_transfer_moves_between_two_books() -> None:
    posting = transfer_posting("id", ACCOUNT, Account.TACTICAL, "USDT", D(5), 1, "FU-5")
    target = AccountLedger(Account.TACTICAL)
    target.post(posting)
    assert booked(posting).wallet("USDT") == D(-5) and target.wallet("USDT") == D(5)
    assert trial_balance([booked(posting), target]) == {"USDT": D(0)}


def test_or6_an_unbalanced_posting_cannot_be_made() -> None:
    line = PostingLine(account=ACCOUNT, ledger_account="wallet", coin="USDT", amount=D(1))
    with pytest.raises(UnbalancedPostingError, match="must sum to 0"):
        balanced(PostingFact(posting_id="p", kind="fee", posted_ms=1, description="", lines=(line,)))


def test_or6_nothing_is_posted_for_an_empty_account() -> None:
    assert opening_posting(ACCOUNT, {"USDT": D(0)}, 1) is None


AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=18)
QUANTITIES = st.decimals(min_value=D("0.001"), max_value=1000, places=3)
PRICES = st.decimals(min_value=1, max_value=100_000, places=1)


@given(QUANTITIES, PRICES, AMOUNTS, AMOUNTS, st.sampled_from(list(Side)), st.sampled_from(["spot", "linear"]))
def test_or6_every_posting_balances_to_the_last_digit(
    quantity: Decimal, price: Decimal, fee: Decimal, pnl: Decimal, side: Side, category: str
) -> None:
    fill = row(quantity=quantity, price=price, fee=fee, side=side, category=category)
    postings = [
        fill_posting(fill, "BTC", "USDT", pnl),
        funding_posting(fill, "USDT"),
        opening_posting(ACCOUNT, {"USDT": pnl, "BTC": fee}, 1),
        correction_posting(ACCOUNT, "USDT", pnl, UNEXPLAINED, 1),
    ]
    book = booked(*postings)
    assert not any(trial_balance([book]).values())
    assert AccountLedger.from_data(ACCOUNT, json.loads(json.dumps(book.as_data()))).balances == book.balances


def test_positions_average_weighted_by_quantity() -> None:
    held = apply_execution(Position(), Side.BUY, D(1), D(100)).position
    held = apply_execution(held, Side.BUY, D(3), D(120)).position
    assert (held.quantity, held.average_price) == (D(4), D(115))


def test_positions_closing_keeps_the_average_and_flipping_starts_anew() -> None:
    held = Position(D(4), D(460))
    part = apply_execution(held, Side.SELL, D(1), D(125))
    assert (part.position.average_price, part.realized_pnl, part.closed) == (D(115), D(10), D(1))
    flip = apply_execution(part.position, Side.SELL, D(5), D(100))
    assert (flip.position.quantity, flip.position.average_price) == (D(-2), D(100))
    assert (flip.realized_pnl, flip.closed) == (D(-45), D(3))


@given(st.lists(st.tuples(st.sampled_from(list(Side)), QUANTITIES, PRICES), max_size=20))
def test_positions_profit_and_entry_value_account_for_all_cash(trades: list[tuple[Side, Decimal, Decimal]]) -> None:
    """Realised profit = cash received minus cash paid, plus the entry value of what is still held."""
    held, realized, cash = Position(), D(0), D(0)
    for side, quantity, price in trades:
        change = apply_execution(held, side, quantity, price)
        held, realized = change.position, realized + change.realized_pnl
        cash -= side.sign * quantity * price
    signed_entry = held.entry_value if held.quantity > 0 else -held.entry_value
    assert held.quantity == sum((side.sign * quantity for side, quantity, _price in trades), D(0))
    assert realized == cash + signed_entry
