"""CH-10, OR-6, OR-9: staking orders are sent at most once, booked once, and Earn is compared with the exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

import pytest

from statemachines.earn.terms import (
    EarnPosition,
    EarnProduct,
    EarnReading,
    EarnYield,
    LookUpStaking,
    StakeCoins,
    StakingStatus,
)
from statemachines.execution.context import DIALECT
from statemachines.facts import DiscrepancyFact, PostingFact
from statemachines.ledger.check import LedgerEntry, check_account, compare_earn
from statemachines.messages.accounts import BalancesKnown, EarnKnown, Reconciled, StakingOrdered, StakingReported
from statemachines.messages.market import DayClosed
from statemachines.messages.orders import StreamRestored
from statemachines.requests import (
    Accepted,
    AccountSnapshot,
    Blocked,
    ExchangeRequest,
    ExchangeResponse,
    ReadAccount,
    Refused,
    Unknown,
)
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import DAY_MS, Account, ActorName
from tests.statemachines.execution.fake_exchange import FakeExchange
from tests.statemachines.execution.rig import START_MS, Rig

D = Decimal
CORE = Account.CORE_HODL
PRODUCT = EarnProduct(
    coin="ETH", product_id="431", yearly_yield=D("0.03"), min_stake=D("0.001"), max_stake=D(1000), step=D("0.0001"),
    min_redeem=None, is_available=True,
)  # fmt: skip


@dataclass
class EarnExchange(FakeExchange):
    """The fake exchange with Earn: 10 ETH in CORE-HODL's wallet, a log, and redemptions that may take time."""

    staked: Decimal = D(0)
    yields: list[EarnYield] = field(default_factory=list)
    promised: list[EarnYield] = field(default_factory=list)
    """Dated, and not paid yet."""
    sent: list[StakeCoins] = field(default_factory=list)
    stakings: dict[str, tuple[StakeCoins, Literal["SUCCESS", "PENDING", "FAILED"]]] = field(default_factory=dict)
    is_slow: bool = False
    access: Literal["granted", "denied", "unknown"] = "granted"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.wallets[CORE]["ETH"] = D(10)
        self.log = []

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        match request:
            case StakeCoins():
                if request.client_order_id in self.stakings:
                    return Refused(code=180025, message="Duplicate orderLinkId", fault="duplicate")
                self.sent.append(request)
                self.stakings[request.client_order_id] = (request, "PENDING" if self.is_slow else "SUCCESS")
                if request.action == "stake":
                    self.shift(request.amount.copy_negate(), "FLEXIBLE_STAKING_SUBSCRIPTION")
                    self.staked += request.amount
                else:
                    self.staked -= request.amount
                    if not self.is_slow:
                        self.shift(request.amount, "FLEXIBLE_STAKING_REDEMPTION")
                return Accepted(venue_order_id="e1")
            case LookUpStaking():
                found = self.stakings.get(request.client_order_id)
                return StakingStatus(status="ABSENT" if found is None else found[1])
            case ReadAccount():
                snapshot = super().perform(account, request)
                assert isinstance(snapshot, AccountSnapshot)
                assert request.reads_earn == (account is CORE)
                return snapshot.model_copy(update={"earn": self._earn(request) if request.reads_earn else None})
        return super().perform(account, request)

    def arrive(self) -> None:
        """The redemption on its way arrives."""
        for name, (request, state) in self.stakings.items():
            if state == "PENDING":
                self.stakings[name] = (request, "SUCCESS")
                self.shift(request.amount, "FLEXIBLE_STAKING_REDEMPTION")

    def pay(self, amount: str) -> None:
        self.staked += D(amount)
        self.yields.append(self._yield(amount))

    def promise(self, amount: str) -> None:
        self.promised.append(self._yield(amount))

    def keep_promises(self) -> None:
        """What was promised is paid; its record keeps its date."""
        self.staked += sum((one.amount for one in self.promised), D(0))
        self.yields += self.promised
        self.promised.clear()

    def _yield(self, amount: str) -> EarnYield:
        name = f"y{len(self.yields) + len(self.promised)}"
        return EarnYield(yield_id=name, coin="ETH", amount=D(amount), paid_ms=self.now_ms)

    def shift(self, amount: Decimal, kind: str) -> None:
        self.wallets[CORE]["ETH"] += amount
        assert self.log is not None
        self.log.append(
            TransactionRow(
                account=CORE, transaction_id=f"log{len(self.log)}", transaction_type=kind, coin="ETH", change=amount,
                cash_flow=amount, time_ms=self.now_ms,
            )
        )  # fmt: skip

    def _earn(self, request: ReadAccount) -> EarnReading:
        if self.access != "granted":
            return EarnReading(access=self.access, problem="code 10005")
        since_ms = request.yields_since_ms
        return EarnReading(
            access="granted",
            positions=(EarnPosition(coin="ETH", product_id="431", amount=self.staked, redeemable=self.staked),),
            yields=None if since_ms is None else tuple(one for one in self.yields if one.paid_ms >= since_ms),
            has_pending_yields=since_ms is not None and any(one.paid_ms >= since_ms for one in self.promised),
            products=(PRODUCT,) if request.earn_coins else None,
        )


def rig(**changes: object) -> tuple[Rig, EarnExchange]:
    exchange = EarnExchange(START_MS, **changes)  # type: ignore[arg-type]
    return Rig(exchange).start(), exchange


def order(one: Rig, amount: str = "8", action: str = "stake", name: str = "core-hodl-1") -> None:
    one.tell(
        StakingOrdered.model_validate(
            {"staking_id": name, "account": CORE, "action": action, "coin": "ETH", "product_id": "431",
             "amount": D(amount), "reason": "the test orders it"}
        )
    )  # fmt: skip


def reported(one: Rig) -> list[str]:
    return [f"{body.action} {body.state} {body.staked}" for body in one.bodies(StakingReported)]


def staked_in_books(one: Rig) -> dict[str, Decimal]:
    return [body for body in one.bodies(BalancesKnown) if body.account is CORE][-1].staked


def next_day(one: Rig) -> Rig:
    one.now_ms += DAY_MS
    one.tell(DayClosed(day_ms=one.now_ms - DAY_MS, close_ms=one.now_ms, bars=()))
    return one.settle()


def test_ch10_a_stake_is_sent_once_confirmed_by_look_up_posted_and_counts_as_held() -> None:
    one, exchange = rig()
    order(one)
    (key,) = one.waiting("stake:")
    assert one.calls[key].account == CORE and one.calls[key].gate is ActorName.CORE_HODL
    one.settle()
    assert reported(one) == ["stake DONE 8"] and exchange.staked == 8 and exchange.wallets[CORE]["ETH"] == 2
    posting = next(fact for fact in one.recorded(PostingFact) if fact.kind == "earn" and fact.lines)
    assert posting.posting_id == "staking:CORE-HODL:abc123ch1-1"
    balances = [body for body in one.bodies(BalancesKnown) if body.account is CORE][-1]
    assert balances.coins["ETH"] == 10 and balances.staked == {"ETH": D(8)}


def test_ch10_to_redeem_is_never_gated() -> None:
    one, _exchange = rig(staked=D(8))
    order(one, "3", "redeem")
    (key,) = one.waiting("stake:")
    assert one.calls[key].gate is None
    one.settle()
    assert reported(one) == ["redeem DONE 5"]


@pytest.mark.parametrize("landed", [True, False])
def test_ch10_a_lost_answer_is_looked_up_and_never_sent_again(landed: bool) -> None:
    """The exchange takes an id again after 30 minutes: what is sent blindly a second time would stake twice."""
    one, exchange = rig()
    order(one)
    (key,) = one.waiting("stake:")
    if landed:
        exchange.perform(CORE, one.calls[key].request)
    one.answer(key, Unknown(why="time-out"))
    one.settle()
    assert reported(one) == (["stake DONE 8"] if landed else ["stake REJECTED 0"])
    assert len(exchange.sent) == int(landed) and exchange.staked == (8 if landed else 0)


@pytest.mark.parametrize("after", range(6))
def test_ch10_a_crash_at_any_step_loses_and_doubles_nothing(after: int) -> None:
    one, exchange = rig()
    order(one)
    for _ in range(after):
        if keys := list(one.calls):
            one.perform(keys[0])
    one.crash()
    one.settle()
    for _ in range(3):
        next_day(one)
    (end,) = one.bodies(StakingReported)
    assert len(exchange.sent) <= 1 and (end.state == "DONE") == bool(exchange.sent)
    assert staked_in_books(one) == ({"ETH": D(8)} if exchange.sent else {})
    assert not one.recorded(DiscrepancyFact) and all(not body.discrepancies for body in one.bodies(Reconciled))


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Refused(code=180016, message="balance", fault="funds"), "180016"),
        (Refused(code=180007, message="product", fault="permanent"), "180007"),
        (Refused(code=10005, message="permission", fault="halt"), "10005"),
        (Blocked(why="a switch forbids new risk"), "switch"),
    ],
)
def test_ch10_a_refusal_ends_it_with_its_reason(outcome: ExchangeResponse, why: str) -> None:
    one, exchange = rig()
    one.answers["stake:"] = outcome
    order(one)
    one.settle()
    (end,) = one.bodies(StakingReported)
    assert end.state == "REJECTED" and why in end.reason and not exchange.sent


def test_ch10_a_duplicate_id_is_looked_up() -> None:
    one, exchange = rig()
    order(one)
    (key,) = one.waiting("stake:")
    exchange.perform(CORE, one.calls[key].request)
    one.settle()
    assert reported(one) == ["stake DONE 8"] and len(exchange.sent) == 1


def test_ch10_a_transient_refusal_is_repeated_under_the_same_id() -> None:
    one, exchange = rig()
    one.answers["stake:"] = Refused(code=10006, message="too many visits", fault="transient")
    order(one)
    one.settle()
    assert reported(one) == ["stake DONE 8"] and len(exchange.sent) == 1


def test_ch10_a_repeated_order_stakes_nothing_twice() -> None:
    one, exchange = rig()
    order(one)
    order(one)
    one.settle()
    order(one)
    one.settle()
    assert len(exchange.sent) == 1 and reported(one) == ["stake DONE 8"]


def test_ch10_a_redemption_that_takes_time_is_looked_up_by_market_time_and_is_no_difference_meanwhile() -> None:
    """For two days the coins are neither in Earn nor in the wallet; they are not missing."""
    one, exchange = rig(staked=D(8), is_slow=True)
    order(one, "3", "redeem")
    one.settle()
    assert reported(one) == ["redeem PENDING 8"] and one.logic.deadline() is not None
    next_day(one)
    one.crash()
    next_day(one)
    assert staked_in_books(one) == {"ETH": D(8)} and not one.recorded(DiscrepancyFact)
    exchange.arrive()
    next_day(one)
    one.run_due()
    one.settle()
    assert reported(one)[-1] == "redeem DONE 5" and exchange.wallets[CORE]["ETH"] == 13
    next_day(one)
    assert staked_in_books(one) == {"ETH": D(5)} and not one.recorded(DiscrepancyFact)


def test_c9_yield_is_booked_once_as_income_and_counts_as_held() -> None:
    one, exchange = rig(staked=D(8))
    exchange.now_ms += 1
    exchange.pay("0.01")
    for _ in range(3):
        next_day(one)
        one.crash()
        one.settle()
    balances = [body for body in one.bodies(BalancesKnown) if body.account is CORE]
    assert balances[-1].staked == {"ETH": D("8.01")} and balances[-1].earned == {"ETH": D("0.01")}
    assert sum(body.results.get("ETH", D(0)) for body in balances) == D("0.01")  # a result, no flow (F11)
    assert not one.recorded(DiscrepancyFact)


def test_c9_yield_that_is_paid_days_after_its_date_is_booked() -> None:
    """A record is pending at first and keeps its date. By the time it was paid it lay before everything that was read:
    the coins in Earn then differed without an explanation, and the engine was halted."""
    one, exchange = rig(staked=D(8))
    exchange.now_ms += 1
    exchange.promise("0.01")
    for _ in range(3):
        next_day(one)
    assert staked_in_books(one) == {"ETH": D(8)}
    exchange.keep_promises()
    one.crash()
    one.settle()
    next_day(one)
    balances = [body for body in one.bodies(BalancesKnown) if body.account is CORE]
    assert balances[-1].earned == {"ETH": D("0.01")} and staked_in_books(one) == {"ETH": D("8.01")}
    assert not one.recorded(DiscrepancyFact)


def test_or9_coins_found_in_earn_at_the_first_start_are_opening_positions() -> None:
    one, exchange = rig(staked=D(4))
    exchange.pay("0")
    assert staked_in_books(one) == {"ETH": D(4)} and not one.recorded(DiscrepancyFact)


def test_or9_coins_staked_by_hand_are_booked_from_the_log() -> None:
    one, exchange = rig()
    exchange.now_ms += 1
    exchange.shift(D(-2), "FLEXIBLE_STAKING_SUBSCRIPTION")
    exchange.staked = D(2)
    next_day(one)
    assert staked_in_books(one) == {"ETH": D(2)}
    assert {fact.kind for fact in one.recorded(DiscrepancyFact)} == {"transaction"}


def test_or9_coins_that_moved_between_wallet_and_earn_without_a_record_are_not_missing() -> None:
    one, exchange = rig()
    exchange.now_ms += 1
    exchange.wallets[CORE]["ETH"] -= 2
    exchange.staked = D(2)
    next_day(one)
    (fact,) = one.recorded(DiscrepancyFact)
    assert fact.kind == "earn_move" and staked_in_books(one) == {"ETH": D(2)}
    assert one.bodies(Reconciled)[-1].discrepancies == 0


def test_or9_any_other_difference_in_earn_is_a_discrepancy() -> None:
    one, exchange = rig(staked=D(4))
    exchange.staked = D(3)
    next_day(one)
    (fact,) = one.recorded(DiscrepancyFact)
    assert (fact.kind, fact.ours, fact.theirs) == ("earn", "4", "3")
    assert one.bodies(Reconciled)[-1].discrepancies == 1 and staked_in_books(one) == {"ETH": D(3)}
    next_day(one)
    assert one.bodies(Reconciled)[-1].discrepancies == 0  # the second pass does nothing


def test_ch10_the_engine_learns_what_earn_offers_at_the_start_and_every_day() -> None:
    one, _exchange = rig()
    next_day(one)
    first, second = one.bodies(EarnKnown)
    assert first.has_access and first.products == second.products == (PRODUCT,)


def test_ch10_a_reading_of_earn_that_fails_takes_away_nothing_and_the_offers_are_asked_for_again() -> None:
    """One failed reading at the close of a market day cleared offers and positions for the whole day."""
    one, exchange = rig(staked=D(4))
    exchange.access = "unknown"
    next_day(one)
    (first,) = one.bodies(EarnKnown)
    assert first.products == (PRODUCT,) and first.positions
    exchange.access = "granted"
    one.tell(StreamRestored(stream="private CORE-HODL"))
    one.settle()
    second = one.bodies(EarnKnown)[-1]
    assert second is not first and second.products == (PRODUCT,) and second.positions == first.positions


def test_ch10_without_the_permission_everything_else_works_and_the_reason_is_passed_on() -> None:
    one, _exchange = rig(access="denied")
    (body,) = one.bodies(EarnKnown)
    assert not body.has_access and "10005" in body.problem and one.bodies(Reconciled)[-1].discrepancies == 0
    assert not one.alerts


def test_or9_staked_coins_that_cannot_be_seen_are_alerted_and_still_count() -> None:
    one, exchange = rig(staked=D(4))
    exchange.access = "denied"
    next_day(one)
    next_day(one)
    assert len([alert for alert in one.alerts if "cannot be read" in alert.title]) == 1
    assert staked_in_books(one) == {"ETH": D(4)} and not one.recorded(DiscrepancyFact)


def test_rows_of_the_version_before_staking_are_read() -> None:
    one, _exchange = rig()
    rows = dict(one.rows)
    assert DIALECT.read("order-manager", rows).keys() == rows.keys()
    old = {}
    for key, row in rows.items():
        data = {name: value for name, value in row.data.items() if name not in ("is_earn_opened", "staking_legs")}
        old[key] = row._replace(data=data, schema=1) if key.startswith(("book:", "transaction-log:")) else row
    read = DIALECT.read("order-manager", old)
    assert read["book:CORE-HODL"].data["is_earn_opened"] is False
    assert read["transaction-log:CORE-HODL"].data["staking_legs"] == []


def test_or6_the_check_claims_the_log_row_for_the_staking_order_and_compares_earn() -> None:
    one, exchange = rig()
    exchange.now_ms += 1
    one.now_ms = exchange.now_ms
    order(one)
    one.settle()
    entries = []
    for fact in one.recorded(PostingFact):
        lines = {(line.ledger_account, line.coin): line.amount for line in fact.lines if line.account == CORE}
        if lines:
            entries.append(LedgerEntry(fact.posting_id, fact.kind, fact.posted_ms, lines))
    assert exchange.log is not None
    check = check_account(CORE, entries, exchange.log, exchange.wallets[CORE], one.now_ms)
    assert not check.differences and check.entries == 1
    figures, differences, _unread = compare_earn(CORE, entries, {"ETH": D(8)})
    assert [figure.is_equal for figure in figures] == [True] and not differences
    _figures, (difference,), _unread = compare_earn(CORE, entries, {"ETH": D(7)})
    assert "earn ETH" in difference.text
