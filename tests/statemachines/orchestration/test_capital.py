"""The treasury in the daily cycle: OR-2, OR-4, OR-5, OR-6 as ruled in O1 to O7, from the close to the booking."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statemachines.commands import Command, Remark, Send
from statemachines.messages.accounts import CapitalFreed, FreeCapital, TransferWanted
from statemachines.messages.control import ComponentChanged, RiskState, RunCycle
from statemachines.orchestration.allocation.regime_machine import Regime
from statemachines.values import ACCOUNT_OF, Account, ActorName
from tests.statemachines.orchestration.bank import QUICK, Bank

A = Account
FALL = [100.0, 100.0, 100.0, 99.0, 98.0, 97.0, 96.0, 95.0]
"""With two closes of dwell: a bear market from the fifth close on."""


def remarks(bank: Bank, trigger: str) -> list[Remark]:
    return [note for note in bank.notes if isinstance(note, Remark) and note.trigger == trigger]


def bear(bank: Bank, closes: int = 8) -> Bank:
    for price in FALL[:closes]:
        bank.close_day(price)
    return bank


# --- OR-2 ---


def test_or2_a_bear_market_moves_the_capital_in_three_days_of_five_points() -> None:
    """From 60/20/15/5 to 70/5/15/10: TREND gives 5 points a day, two thirds to CORE, one third to TACTICAL."""
    bank = bear(Bank(QUICK), 5)
    assert bank.share(A.TREND_1, A.TREND_2) == pytest.approx(15)
    first = bank.moves("OR-2")
    assert sum(amount for *_, amount in first) == pytest.approx(D(5_000), abs=D("0.01"))
    assert {(a, b) for a, b, _ in first} == {
        ("TREND-1", "CORE-HODL"),
        ("TREND-2", "CORE-HODL"),
        ("TREND-1", "TACTICAL"),
        ("TREND-2", "TACTICAL"),
    }
    for price in FALL[5:]:
        bank.close_day(price)
    assert bank.share(A.CORE_HODL) == pytest.approx(70, abs=0.01)
    assert (bank.share(A.TREND_1), bank.share(A.TREND_2)) == (
        pytest.approx(3.75, abs=0.01),
        pytest.approx(1.25, abs=0.01),
    )
    assert bank.share(A.TACTICAL) == pytest.approx(10, abs=0.01)
    assert len(remarks(bank, "weights")) == 3


def test_o7_engines_act_on_the_weights_before_the_days_step() -> None:
    bank = bear(Bank(QUICK), 5)
    targets = {
        body.engine: body.target_usdt for body in bank.bodies(RunCycle) if body.day_ms == bank.now_ms - 86_400_000
    }
    assert targets[ActorName.CORE_HODL] == 60_000 and targets[ActorName.TREND_1] == 15_000
    bank.close_day(97)
    (core,) = [
        b for b in bank.bodies(RunCycle) if b.engine is ActorName.CORE_HODL and b.day_ms == bank.now_ms - 86_400_000
    ]
    assert core.target_usdt == pytest.approx(D("63333.33"), abs=D("0.01"))


def test_o6_while_risk_is_not_normal_dwell_and_pace_go_on_and_capital_rests() -> None:
    """The weights have arrived at the bear market's when risk is NORMAL again; what was not moved is left to OR-4."""
    bank = Bank(QUICK)
    for price in FALL[:4]:
        bank.close_day(price)
    bank.set_risk("CAUTION")
    for price in FALL[4:]:
        bank.close_day(price)
    assert bank.moves() == [] and not bank.bodies(FreeCapital)
    assert len(remarks(bank, "weights")) == 3
    bank.set_risk("NORMAL")
    bank.close_day(94)
    assert {purpose for purpose in (o.purpose for o in bank.made.values())} == {"OR-4 trim"}
    assert bank.share(A.TREND_1, A.TREND_2) == pytest.approx(5, abs=0.01)


def test_o3_a_day_without_a_bar_moves_nothing() -> None:
    bank = bear(Bank(QUICK), 5)
    before = dict(bank.made)
    bank.close_day(None)
    assert bank.made == before and len(remarks(bank, "no_bar")) == 1


# --- OR-4 ---


def trend_up(bank: Bank) -> Bank:
    """TREND has grown by 15,000: 35 of 115."""
    bank.balances[A.TREND_1] += 11_250
    bank.balances[A.TREND_2] += 3_750
    return bank


def test_or4_trend_is_trimmed_and_the_harvest_is_logged() -> None:
    bank = trend_up(Bank())
    bank.close_day(100)
    (harvest,) = remarks(bank, "volatility_harvest")
    assert "12000.00 USDT is harvested" in harvest.reason and "OR-4" in harvest.reason
    assert bank.share(A.TREND_1, A.TREND_2) == pytest.approx(20)
    gives = Counter[str]()
    for giver, _, amount in bank.moves("OR-4"):
        gives[giver] += int(amount.to_integral_value())
    assert gives == {"TREND-1": 9_000, "TREND-2": 3_000}


def test_or4_an_excess_is_not_trimmed_again_while_it_is_on_its_way() -> None:
    bank = trend_up(Bank())
    for engine in (ActorName.TREND_1, ActorName.TREND_2):
        bank.giving[engine].is_silent = True
    for _ in range(3):
        bank.close_day(100)
    assert len(bank.bodies(FreeCapital)) == 2
    bank.answer_all()
    assert bank.share(A.TREND_1, A.TREND_2) == pytest.approx(20)
    bank.close_day(100)
    assert len(bank.bodies(FreeCapital)) == 2


def test_c10_an_engine_that_can_give_half_gives_each_receiver_half() -> None:
    bank = trend_up(Bank())
    bank.giving[ActorName.TREND_1].part = D("0.5")
    bank.close_day(100)
    asked = {str(o.to_account): o.amount for o in bank.made.values() if o.from_account is A.TREND_1}
    assert sum(asked.values()) == pytest.approx(D(4_500), abs=D("0.01"))
    other = {str(o.to_account): o.amount for o in bank.made.values() if o.from_account is A.TREND_2}
    for to, amount in asked.items():
        assert amount / other[to] == pytest.approx(D("1.5"), abs=D("0.001"))


def test_or8_a_faulted_engine_is_not_asked() -> None:
    bank = trend_up(Bank())
    bank.tell(ComponentChanged(component=ActorName.TREND_1, state="FAULTED", reason="6 restarts"))
    bank.close_day(100)
    assert [body.engine for body in bank.bodies(FreeCapital)] == [ActorName.TREND_2]
    assert "FAULTED" in remarks(bank, "not_asked")[0].reason


def test_r2_what_is_freed_while_risk_is_not_normal_waits_for_the_next_normal_cycle() -> None:
    bank = trend_up(Bank())
    bank.giving[ActorName.TREND_1].is_silent = True
    bank.close_day(100)
    bank.set_risk("REDUCE_ONLY")
    bank.answer_all()
    assert not [move for move in bank.moves() if move[0] == "TREND-1"]
    bank.close_day(100)
    bank.set_risk("NORMAL")
    bank.close_day(100)
    assert bank.share(A.TREND_1, A.TREND_2) == pytest.approx(20)


class Interrupted(Bank):
    """GLOBAL changes while the last engine of the cycle decides, after the risk check."""

    becomes = "HALTED"

    def act(self, command: Command) -> None:
        body = command.body if isinstance(command, Send) else None
        if isinstance(body, RunCycle) and body.engine is ActorName.TACTICAL:
            state = RiskState(scope="GLOBAL", state=self.becomes, size_factor=D(1), reason="the operator")  # type: ignore[arg-type]
            self.inbox.append(state)
        super().act(command)


@pytest.mark.parametrize("state", ["HALTED", "PAUSED", "REDUCE_ONLY", "CAUTION"])
def test_r2_a_halt_between_the_risk_check_and_the_capital_stage_lets_capital_rest(state: str) -> None:
    bank = Interrupted()
    trend_up(bank)
    bank.balances[A.MASTER] += 1_000
    bank.becomes = state
    bank.close_day(100)
    assert bank.moves() == [] and not bank.bodies(FreeCapital), "HALTED, and capital moved all the same"
    assert bank.balances[A.MASTER] == 1_000
    bank.becomes = "NORMAL"
    bank.close_day(100)
    assert bank.share(A.TREND_1, A.TREND_2) == pytest.approx(20) and bank.balances[A.MASTER] < 1


def test_or1_an_engine_whose_weight_was_set_to_0_gives_what_it_holds() -> None:
    """It has no weight in any regime, and its capital would have stayed with it for ever."""
    weights = QUICK.weights | {ActorName.FUNDING: D(0), ActorName.CORE_HODL: D("0.75")}
    bank = Bank(QUICK.model_copy(update={"weights": weights}))
    bank.close_day(100)
    assert bank.balances[A.FUNDING] == 0
    assert bank.share(A.CORE_HODL) == pytest.approx(75)


# --- OR-5 ---


def test_or5_a_deposit_goes_to_the_most_underweight_engine_first() -> None:
    bank = Bank()
    bank.balances[A.FUNDING] -= 600
    bank.balances[A.MASTER] += 1_000
    bank.close_day(100)
    moved = {to: float(amount) for _, to, amount in bank.moves("OR-5")}
    assert moved == {"FUNDING": 660.0, "CORE-HODL": 240.0, "TREND-1": 60.0, "TREND-2": 20.0, "TACTICAL": 20.0} or (
        bank.balances[A.MASTER] < 1 and moved["FUNDING"] == pytest.approx(660)
    )
    assert bank.balances[A.MASTER] < 1


def test_o6_a_deposit_waits_for_the_next_normal_cycle() -> None:
    bank = Bank()
    bank.set_risk("CAUTION")
    bank.balances[A.MASTER] += 1_000
    bank.close_day(100)
    assert bank.moves() == []
    bank.set_risk("NORMAL")
    bank.close_day(100)
    assert bank.balances[A.MASTER] < 1 and len(bank.moves("OR-5")) == 5


def test_or5_what_is_kept_in_the_master_account_for_a_withdrawal_stays_there() -> None:
    own = QUICK.allocation.model_copy(update={"kept_in_master_usdt": D(700)})
    bank = Bank(QUICK.model_copy(update={"allocation": own}))
    bank.balances[A.MASTER] += 1_000
    bank.close_day(100)
    assert bank.balances[A.MASTER] == pytest.approx(D(700), abs=D(1))


def test_or5_a_contribution_that_fails_is_distributed_on_the_next_day() -> None:
    bank = Bank()
    bank.balances[A.MASTER] += 1_000
    bank.failing = True
    bank.close_day(100)
    assert bank.balances[A.MASTER] == 1_000
    bank.failing = False
    bank.close_day(100)
    assert bank.balances[A.MASTER] < 1


# --- OR-6 ---


def test_or6_an_engines_own_request_and_the_treasurys_moves_do_not_meet() -> None:
    """FU-5 of 100 is on its way when the day is decided: it counts where it goes."""
    bank = Bank()
    wish = TransferWanted(
        request_id="funding-1",
        engine=ActorName.FUNDING,
        from_account=A.FUNDING,
        to_account=A.TACTICAL,
        coin="USDT",
        amount=D(100),
        purpose="fu-5",
    )
    bank.tell(wish)
    bank.close_day(100)
    assert bank.moves() == [("FUNDING", "TACTICAL", D(100))]
    (standing,) = remarks(bank, "standing")
    assert D(standing.data["TACTICAL_usdt"]) == 5_100


def test_or6_an_answer_that_nobody_asked_for_moves_nothing() -> None:
    bank = Bank()
    bank.tell(
        CapitalFreed(
            release_id="capital-trend-1-7", engine=ActorName.TREND_1, freed_usdt=D(10), reason="out of the blue"
        )
    )
    assert bank.moves() == [] and remarks(bank, "stray_freed")


def test_or6_every_movement_goes_through_its_states_without_a_gap() -> None:
    bank = bear(trend_up(Bank(QUICK)))
    paths: dict[str, list[str]] = {}
    for line in bank.movements():
        path = paths.setdefault(line.machine, [line.source])
        assert path[-1] == line.source
        path.append(line.dest)
    assert set(map(tuple, paths.values())) == {("REQUESTED", "FREEING", "FREE", "SENT", "CONFIRMED", "BOOKED")}
    assert set(paths) == set(bank.made)


# --- exactly once, whatever crashes ---


def script(bank: Bank) -> Bank:
    bear(trend_up(bank))
    bank.balances[A.MASTER] += 1_234
    bank.giving[ActorName.CORE_HODL].is_silent = True
    bank.balances[A.CORE_HODL] += 60_000
    bank.close_day(94)
    bank.giving[ActorName.FUNDING].part = D("0.3")
    bank.answer_all()
    bank.failing = True
    bank.balances[A.MASTER] += 500
    bank.close_day(150)
    bank.failing = False
    for price in (160, 170, 180, 90):
        bank.close_day(price)
        bank.answer_all()
    return bank


STEADY = script(Bank(QUICK))


def test_the_script_of_crashes_moves_capital_for_every_rule() -> None:
    assert {order.purpose[:4] for order in STEADY.made.values()} == {"OR-2", "OR-4", "OR-5"}
    reached = {line.dest for line in STEADY.movements()}
    assert reached >= {"FREEING", "FREE", "SENT", "CONFIRMED", "BOOKED", "FAILED"}


def test_or6_a_restart_before_every_single_step_changes_nothing() -> None:
    shaken = script(Bank(QUICK, lambda _n: True))
    assert shaken.log == STEADY.log and shaken.rows == STEADY.rows and shaken.balances == STEADY.balances


@pytest.mark.parametrize("step", range(1, STEADY.steps + 1, 3))
def test_or6_one_restart_at_any_point_changes_nothing(step: int) -> None:
    shaken = script(Bank(QUICK, lambda n: n == step))
    assert shaken.log == STEADY.log and shaken.balances == STEADY.balances


# --- any sequence of events ---

GROWTH = st.sampled_from([-0.4, -0.1, 0.0, 0.05, 0.5])
EVENTS = st.one_of(
    st.tuples(st.just("close"), st.floats(50, 200)),
    st.tuples(st.just("no bar"), st.just(0)),
    st.tuples(st.just("market"), st.lists(GROWTH, min_size=5, max_size=5)),
    st.tuples(st.just("deposit"), st.decimals(1, 20_000, places=2)),
    st.tuples(st.just("withdraw"), st.decimals(1, 20_000, places=2)),
    st.tuples(st.just("risk"), st.sampled_from(["NORMAL", "CAUTION", "HALTED"])),
    st.tuples(st.just("giving"), st.sampled_from(["0", "0.37", "1"])),
    st.tuples(st.just("silent"), st.booleans()),
    st.tuples(st.just("failing"), st.booleans()),
    st.tuples(st.just("answer"), st.just(0)),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(EVENTS, min_size=5, max_size=40))
def test_any_sequence_keeps_the_ledger_balanced_the_weights_whole_and_moves_nothing_twice(
    events: list[tuple[str, object]],
) -> None:
    """Transfers only move money: what is outside is what was deposited, withdrawn, won and lost; no engine's capital is
    negative; a transfer's id is ordered once (the bank asserts it); weights add up to 1 within [0, 1]."""
    bank = Bank(QUICK, lambda n: n % 7 == 0)
    expected = sum(bank.balances.values(), D(0))
    for what, value in events:
        match what:
            case "close":
                bank.close_day(round(float(value), 2))  # type: ignore[arg-type]
            case "no bar":
                bank.close_day(None)
            case "market":
                for account, growth in zip(ACCOUNT_OF.values(), value, strict=True):  # type: ignore[call-overload]
                    won = (bank.balances[account] * D(str(growth))).quantize(D("0.0001"))
                    bank.balances[account] += won
                    expected += won
            case "deposit":
                bank.balances[A.MASTER] += D(str(value))
                expected += D(str(value))
            case "withdraw":
                taken = min(bank.balances[A.MASTER], D(str(value)))
                bank.balances[A.MASTER] -= taken
                expected -= taken
            case "risk":
                bank.set_risk(str(value))
            case "giving":
                for one in bank.giving.values():
                    one.part = D(str(value))
            case "silent":
                bank.giving[ActorName.CORE_HODL].is_silent = bool(value)
            case "failing":
                bank.failing = bool(value)
            case _:
                bank.answer_all()
        assert sum(bank.balances.values(), D(0)) == expected
        assert min(bank.balances.values()) >= 0
        weights = bank.rows["allocation"].data["weights"] if "allocation" in bank.rows else {"": "1"}
        assert sum(map(D, weights.values())) == 1 and all(0 <= D(one) <= 1 for one in weights.values())
        if "allocation" in bank.rows:
            assert bank.rows["allocation"].state in set(Regime)


def test_answers_of_one_instant_are_judged_in_the_engines_order_whatever_the_order_in_which_they_arrive() -> None:
    """Under Ray TREND-2's answer once overtook TREND-1's: two runs of one market had different journals."""
    journals = []
    for turn in (1, -1):
        bank = trend_up(Bank())
        for engine in (ActorName.TREND_1, ActorName.TREND_2):
            bank.giving[engine].is_silent = True
        bank.close_day(100)
        bank.waiting = bank.waiting[::turn]
        bank.answer_all()
        journals.append([(line.machine, line.trigger) for line in bank.movements()])
    assert journals[0] == journals[1] and len(journals[0]) > 20
