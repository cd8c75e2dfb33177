"""Every switch of RM-4 from reading to effect: never on one reading, what it trips, what is refused, how it returns,
and the evidence that stays (R2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

import pytest

from statemachines.commands import Alert, Commands
from statemachines.facts import SwitchTripFact
from statemachines.limits.insurance_fund import InsuranceLimits
from statemachines.messages.control import ReadingChanged
from statemachines.messages.envelope import Body
from statemachines.messages.market import InsuranceSeen, WithdrawalsSeen
from statemachines.orchestration.exchange_readings import ExchangeReadings, Readings
from statemachines.risk.parameters import ReadingPolicies, RiskParameters, Switch
from statemachines.risk.readings.switchboard import Switchboard
from statemachines.solvency.terms import COINS, CoinWithdrawals
from statemachines.values import DAY_MS, HOUR_MS, MINUTE_MS, Account, ActorName, Side
from tests.kit.builders import intent
from tests.statemachines.risk.test_logic import command, done
from tests.statemachines.risk.world import T0, World, balances, close, facts, hour, notes, reconciled, sent

CORE, TREND, FUNDING, GLOBAL = "core-hodl", "trend-1", "funding", "GLOBAL"
GOOD = Readings({"REST": 1.0, "private FUNDING": 2.0}, {"public spot": 1.0}, 0)


def status(at_ms: int, *suspended: str, lacks: Iterable[str] = ()) -> WithdrawalsSeen:
    coins = [c for c in COINS if c not in lacks]
    found = (CoinWithdrawals(coin=c, chains=3, open_chains=0 if c in suspended else 2) for c in coins)
    return WithdrawalsSeen(coins=tuple(found), market_ms=at_ms)


def fund(at_ms: int, balance: str) -> InsuranceSeen:
    return InsuranceSeen(balance_usdt=Decimal(balance), market_ms=at_ms)


def seconds(reading: Readings) -> tuple[list[ReadingChanged], list[ReadingChanged], list[ReadingChanged]]:
    """One bad reading, the second one, and five good minutes."""
    ours = ExchangeReadings(ReadingPolicies())
    one, two = [*ours.look(reading, 0.0)], [*ours.look(reading, 1.0)]
    good = [change for second in range(2, 304) for change in ours.look(GOOD, second)]
    kinds = {change.switch for change in two}
    return one, two, [change for change in good if change.switch in kinds]


@dataclass(frozen=True)
class Journey:
    """`suspicion`: readings that trip nothing; `trip`: those that do; `good`: those that end it."""

    switch: Switch
    suspicion: Callable[[], list[Body]]
    trip: Callable[[], list[Body]]
    good: Callable[[], list[Body]]
    states: dict[str, str]
    """Tripped."""
    after_good: dict[str, str]
    after_a_day: dict[str, str]
    limit: str
    subject: str = ""


def _read(switch: Switch, bad: Readings) -> Journey:
    one, two, good = seconds(bad)
    return Journey(
        switch,
        lambda: [*one],
        lambda: [*two],
        lambda: [*good],
        {GLOBAL: "REDUCE_ONLY"},
        {GLOBAL: "NORMAL"},
        {GLOBAL: "NORMAL"},
        {"exchange_unreachable": "30 s", "market_data_stale": "60 s", "clock_off": "1000 ms"}[switch],
    )


JOURNEYS = (
    _read(Switch.EXCHANGE_UNREACHABLE, Readings({"REST": 31.0, "private FUNDING": 40.0}, {"public spot": 1.0}, 0)),
    _read(Switch.MARKET_DATA_STALE, Readings({"REST": 1.0}, {"public spot": 1.0, "public linear": 60.5}, 0)),
    _read(Switch.CLOCK_OFF, Readings({"REST": 1.0}, {"public spot": 1.0}, 1_001)),
    Journey(
        Switch.RECONCILIATION_MISMATCH,
        lambda: [reconciled(T0 + 1, 2), reconciled(T0 + 2, 0), reconciled(T0 + 3, 1)],
        lambda: [reconciled(T0 + 4, 1)],
        lambda: [reconciled(T0 + 5, 0)],
        {TREND: "HALTED", GLOBAL: "NORMAL", "trend-2": "NORMAL"},
        {TREND: "HALTED"},
        {TREND: "HALTED"},
        "at most 0",
        "TREND-1",
    ),
    Journey(
        Switch.ORDERS_REJECTED,
        lambda: [done(n, "REJECTED") for n in range(10)],
        lambda: [done(10, "REJECTED")],
        lambda: [done(11, "FILLED")],
        {GLOBAL: "REDUCE_ONLY"},
        {GLOBAL: "REDUCE_ONLY"},
        {GLOBAL: "NORMAL"},
        "0.20 of 50",
    ),
    Journey(
        Switch.WITHDRAWALS_SUSPENDED,
        lambda: [status(T0 + 1), status(T0 + 2, "ETH"), status(T0 + 3, "ETH"), status(T0 + 2 + MINUTE_MS - 1, "ETH")],
        lambda: [status(T0 + 2 + MINUTE_MS, "ETH")],
        lambda: [status(T0 + 3 * MINUTE_MS), status(T0 + 4 * MINUTE_MS)],
        {CORE: "HALTED", GLOBAL: "CAUTION"},
        {CORE: "HALTED", GLOBAL: "CAUTION"},
        {CORE: "HALTED", GLOBAL: "NORMAL"},
        "at least 1 chain open",
    ),
    Journey(
        Switch.INSURANCE_FUND,
        lambda: [fund(T0 + 1, "1000"), fund(T0 + HOUR_MS, "700"), fund(T0 + 2 * HOUR_MS, "699")],
        lambda: [fund(T0 + 2 * HOUR_MS + MINUTE_MS, "699")],
        lambda: [fund(T0 + 3 * HOUR_MS, "701")],
        {FUNDING: "REDUCE_ONLY", GLOBAL: "NORMAL"},
        {FUNDING: "REDUCE_ONLY"},
        {FUNDING: "NORMAL"},
        "700.00 USDT",
    ),
)


def tell(world: World, bodies: list[Body]) -> Commands:
    """The messages, each at the time of its reading (or now)."""
    told: Commands = []
    for body in bodies:
        told += world.tell(body, max(world.now_ms, getattr(body, "market_ms", world.now_ms)))
    return told


def trips(commands: Commands) -> list[SwitchTripFact]:
    return facts(commands, "switch_trips")


def states(world: World, expected: dict[str, str]) -> dict[str, str]:
    return {scope: world.state(scope) for scope in expected}


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda one: one.switch.value)
def test_from_reading_to_effect_and_back(journey: Journey, restarts: bool) -> None:
    world = World(restarts=restarts).open()
    told = tell(world, journey.suspicion())
    assert not facts(told, "switches") and not trips(told), "never on one"

    told = tell(world, journey.trip())
    assert states(world, journey.states) == journey.states
    (trip,) = trips(told)
    assert (trip.switch, trip.subject, trip.ended_ms) == (journey.switch, journey.subject, None)
    assert len(trip.readings) >= 2 and {one.limit for one in trip.readings} == {journey.limit}
    assert all(one.source and one.value and one.age_ms >= 0 for one in trip.readings)
    assert trip.tripped_ms == world.now_ms and trip.reason[:4] in ("RM-4", "CH-9", "FU-9")
    for scope, state in journey.states.items():
        assert state == "NORMAL" or f"{scope} {state}" in trip.effect
    assert {alert.severity for alert in told if isinstance(alert, Alert)} <= {"critical", "warning"}
    (note,) = [one for one in notes(told) if one.KIND == "transition" and one.table == "switch"]
    assert note.dest == "TRIPPED" and note.data["readings"]

    told = tell(world, journey.good())
    assert states(world, journey.after_good) == journey.after_good
    (end,) = trips(told)
    assert end == trip.model_copy(update={"ended_ms": world.now_ms})

    world.settle(world.now_ms + DAY_MS + HOUR_MS)
    assert states(world, journey.after_a_day) == journey.after_a_day


def test_every_switch_that_exists_has_a_journey() -> None:
    assert {journey.switch for journey in JOURNEYS} == {*Switch}


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda one: one.switch.value)
def test_what_a_tripped_switch_refuses_and_what_always_passes(journey: Journey) -> None:
    """Entries of the scopes that may take no new risk are refused with its code; cancels and reductions pass."""
    world = World().open()
    world.tell(balances(Account.CORE_HODL, "30000", BTC="1"), T0)
    tell(world, [*journey.suspicion(), *journey.trip()])
    at_ms = world.now_ms
    engine = {CORE: ActorName.CORE_HODL, FUNDING: ActorName.FUNDING}.get(next(iter(journey.states)), ActorName.TREND_1)
    spot = {"category": "spot", "quantity": Decimal("0.1")} if engine is ActorName.CORE_HODL else {}
    small = {"quantity": Decimal("0.1")} if engine is ActorName.FUNDING else {}
    (denied,) = sent(world.tell(intent(1, engine, **spot, **small), at_ms), "order_denied")
    assert denied.checks[0] == "engine_active"
    reducing = {"category": "spot"} if spot else {"reduce_only": True}
    (approved,) = sent(world.tell(intent(2, engine, side=Side.SELL, **reducing), at_ms), "approved")
    assert approved.price_limit is None


def test_global_caution_lets_the_others_enter_at_half_size() -> None:
    """R2: with withdrawals suspended only CORE stops."""
    world = World().open()
    told = tell(world, [status(T0, "USDT"), status(T0 + MINUTE_MS, "USDT")])
    factors = {(one.scope, one.state): one.size_factor for one in sent(told, "risk_state")}
    assert factors == {(CORE, "HALTED"): 0, (GLOBAL, "CAUTION"): Decimal("0.5")}
    assert sent(world.tell(intent(1), T0 + MINUTE_MS), "approved")


# --- planted defects: each journey fails without what it is there for ---


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda one: one.switch.value)
def test_a_switch_without_its_effect_is_found(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_demand", "_demand_once", "_held"):
        monkeypatch.setattr(Switchboard, name, lambda *_args: [])
    with pytest.raises(AssertionError):
        test_from_reading_to_effect_and_back(journey, restarts=False)


@pytest.mark.parametrize("journey", JOURNEYS[3:], ids=lambda one: one.switch.value)
def test_a_switch_that_loses_its_state_at_a_restart_is_found(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Switchboard, "restore", lambda _self, _data: None)
    with pytest.raises((AssertionError, ValueError)):
        test_from_reading_to_effect_and_back(journey, restarts=True)


# --- each switch's own edges ---


def test_an_account_that_could_not_be_compared_has_no_reading() -> None:
    """A busy account is neither good nor bad: it neither ends a streak nor makes one."""
    world = World().open()
    world.tell(reconciled(T0 + 1, 1), T0 + 1)
    absent = reconciled(T0 + 2).model_copy(update={"by_account": {Account.TREND_2: 0}})
    assert not trips(world.tell(absent, T0 + 2))
    assert trips(world.tell(reconciled(T0 + 3, 1), T0 + 3))


def test_differences_in_two_accounts_in_turn_trip_nothing() -> None:
    world = World().open()
    for n, account in enumerate((Account.TREND_1, Account.TREND_2, Account.TREND_1, Account.FUNDING)):
        assert not trips(world.tell(reconciled(T0 + n, 3, account), T0 + n))


def test_differences_in_the_master_account_are_on_record_and_halt_no_engine() -> None:
    world = World().open()
    world.tell(reconciled(T0 + 1, 1, Account.MASTER), T0 + 1)
    told = world.tell(reconciled(T0 + 2, 1, Account.MASTER), T0 + 2)
    assert [(one.subject, one.effect) for one in trips(told)] == [("MASTER", "none")]
    assert not facts(told, "switches")


@pytest.mark.parametrize("coin", COINS)
def test_ch9_each_of_the_three_coins_counts_and_one_open_chain_is_enough(coin: str) -> None:
    world = World().open()
    tell(world, [status(T0, coin), status(T0 + MINUTE_MS, coin)])
    assert world.state(CORE) == "HALTED"
    open_chain = CoinWithdrawals(coin=coin, chains=9, open_chains=1)
    assert not open_chain.is_suspended


def test_ch9_a_coin_that_is_none_of_the_three_changes_nothing() -> None:
    world = World().open()
    sol = (CoinWithdrawals(coin="SOL", chains=1, open_chains=0),)
    for n in range(5):
        seen = status(T0 + n * MINUTE_MS)
        world.tell(seen.model_copy(update={"coins": (*seen.coins, *sol)}), T0 + n * MINUTE_MS)
    assert world.state(CORE) == "NORMAL"


def test_ch9_a_reading_that_lacks_a_coin_is_not_good() -> None:
    world = World().open()
    tell(world, [status(T0, "USDT"), status(T0 + MINUTE_MS, "USDT")])
    for n in range(2, 6):
        assert not trips(world.tell(status(T0 + n * MINUTE_MS, lacks=("USDT",)), T0 + n * MINUTE_MS))
    tell(world, [status(T0 + HOUR_MS), status(T0 + 2 * HOUR_MS)])
    world.settle(T0 + DAY_MS + 2 * HOUR_MS + HOUR_MS)
    assert world.state(GLOBAL) == "NORMAL"


def test_what_the_operator_decides_while_withdrawals_are_suspended_stands() -> None:
    """One trip an episode: a further bad reading does not undo the operator's `normal`."""
    world = World().open()
    tell(world, [status(T0, "BTC"), status(T0 + MINUTE_MS, "BTC")])
    world.tell(command("normal", CORE, 1), T0 + 2 * MINUTE_MS)
    for n in range(3, 10):
        world.tell(status(T0 + n * MINUTE_MS, "BTC"), T0 + n * MINUTE_MS)
    assert world.state(CORE) == "NORMAL"
    tell(world, [status(T0 + n * HOUR_MS) for n in (1, 2)])
    tell(world, [status(T0 + 3 * HOUR_MS, "BTC"), status(T0 + 4 * HOUR_MS, "BTC")])
    assert world.state(CORE) == "HALTED", "the next episode trips again"


def test_fu9_a_reading_that_is_not_newer_is_ignored() -> None:
    world = World().open()
    tell(world, [fund(T0 + 1, "1000"), fund(T0 + HOUR_MS, "600")])
    assert not trips(world.tell(fund(T0 + HOUR_MS, "600"), T0 + 2 * HOUR_MS))


def test_fu9_a_fall_that_takes_longer_than_the_window_trips_nothing() -> None:
    world = World().open()
    for day, balance in enumerate(("1000", "800", "640", "512", "512", "512")):
        told = tell(world, [fund(T0 + day * (DAY_MS + 1) + 1 + n * MINUTE_MS, balance) for n in range(3)])
        assert not trips(told)


def test_fu9_funding_and_the_risk_manager_judge_by_one_limit() -> None:
    assert RiskParameters().switches.insurance_fund.limits == InsuranceLimits(Decimal("0.30"), 24, 2)


def test_a_good_report_of_a_switch_that_never_tripped_leaves_no_trace() -> None:
    """A new orchestrator reports once that all is well."""
    world = World().open()
    told = world.tell(ReadingChanged(switch="clock_off", is_bad=False, reason="RM-4: good"), T0)
    assert not trips(told) and not facts(told, "switches")


def test_halted_by_a_switch_is_left_by_the_operator_alone() -> None:
    world = World().open()
    tell(world, [status(T0, "ETH"), status(T0 + MINUTE_MS, "ETH"), status(T0 + HOUR_MS), status(T0 + 2 * HOUR_MS)])
    for number in range(1, 40):
        close(world, number)
        world.tell(hour(T0 + number * DAY_MS + HOUR_MS), T0 + number * DAY_MS + HOUR_MS)
    assert world.state(CORE) == "HALTED"
    world.tell(command("normal", CORE, 1), T0 + 40 * DAY_MS)
    assert world.state(CORE) == "NORMAL"
