"""What the risk manager measures and what follows: drawdown, one-day fall, standstill, switches (RM-3, RM-4, R1)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.commands import Alert
from statemachines.messages.accounts import TransferEnded
from statemachines.refusals import RefusalCause
from statemachines.risk.logic import RiskManagerLogic
from statemachines.risk.parameters import RiskParameters
from statemachines.values import DAY_MS, HOUR_MS, Account, ActorName
from tests.kit.builders import intent
from tests.kit.restoring import restore_logic
from tests.statemachines.risk.test_logic import command, done
from tests.statemachines.risk.world import T0, World, balances, close, facts, fill, lose, reconciled, sends, sent

# --- RM-3 ---


def test_rm3_trend_is_measured_together_and_returns_after_24_h() -> None:
    world = World().open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, "11900")  # 16,900 of 20,000: 15.5 % together, 20.7 % alone
    commands = close(world, 2)
    assert {(f.scope, f.state) for f in facts(commands, "switches")} == {("trend-1", "CAUTION"), ("trend-2", "CAUTION")}
    assert {s.size_factor for s in sent(commands, "risk_state")} == {Decimal("0.5")}
    lose(world, 3, Account.TREND_1, "13000")  # 18,000: 10 %
    assert not facts(close(world, 3), "switches")
    assert {f.state for f in facts(close(world, 4), "switches")} == {"NORMAL"}


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("left", "state"), [("13000", "NORMAL"), ("12000", "NORMAL"), ("11999", "CAUTION")])
def test_f11_a_withdrawal_on_the_day_of_a_loss_leaves_the_loss_what_it_is(
    left: str, state: str, restarts: bool
) -> None:
    """TREND has 20,000 USDT; 10,000 are withdrawn after the loss. A loss of 2,000 read as 20 % of what was left."""
    world = World(restarts=restarts).open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, left)
    remaining = str(Decimal(left) - 10_000)
    world.tell(balances(Account.TREND_1, remaining), T0 + 2 * DAY_MS - 2)
    close(world, 2)
    assert world.state("trend-1") == state


def test_rm3_an_open_position_makes_the_drawdown_before_it_is_closed() -> None:
    """Elsewhere the guard summed up closed trades: it saw nothing of a position that lost day by day. Here there is one
    equity, marked to the market, for drawdown, limits and reports."""
    world = World().open()
    bought = fill(intent(1), T0, "15", "15", "15000")
    world.tell(bought, T0 + HOUR_MS)
    close(world, 1)
    assert world.state("trend-1") == "NORMAL"
    close(world, 2, "800")  # 15 contracts lose 3,000 of TREND's 20,000 USDT: 15 %, the limit itself
    assert world.state("trend-1") == "NORMAL"
    close(world, 3, "790")
    assert world.state("trend-1") == "CAUTION"


def test_rm3_trend_at_25_percent_only_reduces_and_the_operator_rebases() -> None:
    world = World().open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, "9900")
    assert {f.state for f in facts(close(world, 2), "switches")} == {"REDUCE_ONLY"}
    for number in range(3, 10):
        assert not facts(close(world, number), "switches")
    world.tell(command("normal", "trend-1", 1), T0 + 9 * DAY_MS)
    world.tell(command("normal", "trend-2", 2), T0 + 9 * DAY_MS)
    assert not facts(close(world, 10), "switches")
    assert sent(world.tell(intent(1), T0 + 10 * DAY_MS), "approved")


def test_r1_30_days_reduce_only_and_flat_lead_to_caution_with_the_high_set_anew_once_in_365_days() -> None:
    """A flat engine in REDUCE_ONLY cannot earn its drawdown back: it would stand there for ever."""
    world = World(restarts=True).open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, "9900")  # 14,900 of 20,000: 25.5 %
    assert {f.state for f in facts(close(world, 2), "switches")} == {"REDUCE_ONLY"}
    for number in range(3, 32):
        assert not facts(close(world, number), "switches")
    back = facts(close(world, 32), "switches")
    assert {(f.scope, f.state) for f in back} == {("trend-1", "CAUTION"), ("trend-2", "CAUTION")}
    assert all(f.reason.startswith("R1: 30 days REDUCE_ONLY and flat at 25.5") for f in back)
    assert {f.state for f in facts(close(world, 33), "switches")} == {"NORMAL"}
    lose(world, 34, Account.TREND_1, "6000")  # 11,000 of the new high of 14,900: 26.2 %
    assert {f.state for f in facts(close(world, 34), "switches")} == {"REDUCE_ONLY"}
    later = [facts(close(world, number), "switches") for number in range(35, 396)]
    assert not any(later)
    world.tell(command("normal", "trend-1", 1), T0 + 396 * DAY_MS)
    world.tell(command("normal", "trend-2", 2), T0 + 396 * DAY_MS)
    assert not facts(close(world, 397), "switches")


def test_r1_the_second_standstill_within_365_days_is_told_and_ends_after_them() -> None:
    world = World().open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, "9900")
    for number in range(2, 34):
        close(world, number)
    lose(world, 34, Account.TREND_1, "6000")
    told = [command for number in range(34, 100) for command in close(world, number) if isinstance(command, Alert)]
    assert {one.condition for one in told} >= {"standstill:TREND"}
    states = [f.state for number in range(100, 399) for f in facts(close(world, number), "switches")]
    assert states == ["CAUTION", "CAUTION", "NORMAL", "NORMAL"]  # 365 days after the first return, on day 397


def test_r1_a_position_keeps_the_30_days_from_running_dust_does_not() -> None:
    for held, states in (("1", set()), ("0.0004", {"CAUTION"})):
        world = World().open()
        close(world, 1)
        order = intent(1)
        world.tell(fill(order, T0, held, held, "9900"), T0 + 2 * DAY_MS - HOUR_MS)
        close(world, 2, "1000")
        changed = [f.state for number in range(3, 33) for f in facts(close(world, number), "switches")]
        assert set(changed) == states


@pytest.mark.parametrize(("cash", "states"), [("14550", []), ("14540", ["CAUTION"]), ("14240", ["REDUCE_ONLY"])])
def test_rm3_funding(cash: str, states: list[str]) -> None:
    world = World().open()
    close(world, 1)
    lose(world, 2, Account.FUNDING, cash)
    assert [f.state for f in facts(close(world, 2), "switches")] == states


def test_f11_fundings_transfers_to_tactical_are_no_loss() -> None:
    world = World().open()
    close(world, 1)
    transfer = TransferEnded(
        transfer_id="t",
        request_id="r",
        from_account=Account.FUNDING,
        to_account=Account.TACTICAL,
        coin="USDT",
        amount=Decimal(1_000),
        purpose="FU-5",
        succeeded=True,
    )
    (send,) = sends(world.tell(transfer, T0 + DAY_MS, cause="m:9"), "portfolio")
    assert set(send.to) == {ActorName.FUNDING, ActorName.TACTICAL, ActorName.ORCHESTRATOR}
    world.tell(balances(Account.FUNDING, "14000"), T0 + DAY_MS, cause="m:9")
    world.tell(balances(Account.TACTICAL, "6000"), T0 + DAY_MS, cause="m:9")
    assert not facts(close(world, 2), "switches")


def test_rm3_a_one_day_fall_blocks_trend_and_funding_for_24_h_the_end_excluded() -> None:
    world = World().open()
    order = intent(1, ActorName.CORE_HODL, category="spot", quantity=Decimal(40))
    world.tell(order, T0)
    world.tell(fill(order, T0, "40", "40", "20000"), T0)
    close(world, 1)
    commands = close(world, 2, "600")  # 40 coins lose 400 each: 16 % of 100,000
    until_ms = T0 + 3 * DAY_MS
    assert {s.scope: s.entries_blocked_until_ms for s in sent(commands, "risk_state")} == {
        "trend-1": until_ms,
        "trend-2": until_ms,
        "funding": until_ms,
    }
    refused = sent(world.tell(intent(2, reference_price=Decimal(600)), T0 + 2 * DAY_MS), "order_denied")
    assert refused[0].checks == ("one_day_fall",)
    close(world, 3, "600")
    assert sent(world.tell(intent(3, reference_price=Decimal(600)), until_ms), "approved")


def test_f11_a_withdrawal_is_no_fall() -> None:
    world = World().open()
    close(world, 1)
    world.tell(balances(Account.CORE_HODL, "20000"), T0 + DAY_MS + HOUR_MS)
    assert not sent(close(world, 2), "risk_state")


# --- RM-4 ---


def test_rm4_a_second_mismatch_in_a_row_trips_never_one() -> None:
    world = World().open()
    assert not facts(world.tell(reconciled(T0 + 1, 2), T0 + 1), "switches")
    assert not facts(world.tell(reconciled(T0 + 2, 0), T0 + 2), "switches")
    world.tell(reconciled(T0 + 3, 1), T0 + 3)
    (fact,) = facts(world.tell(reconciled(T0 + 4, 1), T0 + 4), "switches")
    assert (fact.scope, fact.state) == ("trend-1", "HALTED"), "R2: the account's engine"
    world.settle(T0 + 4 + DAY_MS + HOUR_MS)
    assert world.state("trend-1") == "HALTED" and world.state("GLOBAL") == "NORMAL"


def test_rm4_many_rejections_trip() -> None:
    """R2: at the eleventh, each under an hour old."""
    world = World().open()
    tripped = [bool(facts(world.tell(done(n, "REJECTED"), T0), "switches")) for n in range(12)]
    assert tripped == [False] * 10 + [True, False]
    world = World().open()
    spread = [facts(world.tell(done(n, "REJECTED"), T0 + n * HOUR_MS // 9), "switches") for n in range(60)]
    assert not any(spread)


@pytest.mark.parametrize(
    ("code", "cause", "trips"),
    [(0, RefusalCause.PASSING, False), (10006, RefusalCause.PASSING, True), (0, RefusalCause.OTHER, True)],
)
def test_rm4_an_order_that_never_arrived_is_no_rejection(code: int, cause: RefusalCause, trips: bool) -> None:
    """The exchange came back after a restart; eleven orders that it had refused the connection for forbade all new risk
    for a day. What it has refused itself counts, by a code or by its report of the order."""
    world = World().open()
    refused = {"refusal_code": code, "refusal": cause}
    found = [facts(world.tell(done(n, "REJECTED").model_copy(update=refused), T0), "switches") for n in range(11)]
    assert bool(found[-1]) is trips


def test_rm4_an_exit_refused_for_days_is_one_rejection() -> None:
    """A perpetual was closed for trading (110074) while it was held: its exit was tried 8,640 times a day and all
    engines stood REDUCE_ONLY. Tries of one order for one reason are one rejection, also after a restart."""
    world = World(restarts=True).open()
    for n in range(200):
        one = done(n, "REJECTED").model_copy(update={"retry_of": "trend-1-1", "refusal_code": 110074})
        assert not facts(world.tell(one, T0 + n), "switches")


def test_rm6_a_changed_size_factor_reaches_the_engines_that_stand_in_caution() -> None:
    """TREND and FUNDING keep the factor that they were sent; CORE and TACTICAL took the new one at once, and decisions
    under one version of the policy were made by two."""
    world = World().open()
    close(world, 1)
    lose(world, 2, Account.TREND_1, "11900")
    close(world, 2)
    later = RiskManagerLogic(RiskParameters(caution_size_factor=Decimal("0.25")))
    restore_logic(later, world.rows)
    commands = later.begin(world.now_ms)
    assert [one.to[0] for one in sends(commands, "risk_state")] == [ActorName.TREND_1, ActorName.TREND_2]
    assert [body.size_factor for body in sent(commands, "risk_state")] == [Decimal("0.25")] * 2
    assert not World().open().logic.begin(T0), "in any other state it does not depend on the policy"
