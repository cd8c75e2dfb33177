"""What RM-4's switches read and what they trip (R2): the one place that connects a reading with its effect.

| switch | read by | effect |
|---|---|---|
| exchange_unreachable, market_data_stale, clock_off | the orchestrator, every second | GLOBAL REDUCE_ONLY while bad |
| reconciliation_mismatch | the order manager, per account | the account's engine HALTED |
| orders_rejected | every order's end | GLOBAL REDUCE_ONLY, 24 h of calm |
| withdrawals_suspended | market data | CORE-HODL HALTED, GLOBAL CAUTION while bad |
| insurance_fund | market data | FUNDING REDUCE_ONLY while bad (its exit is the engine's own, FU-9) |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from statemachines.commands import Commands, Record
from statemachines.limits.insurance_fund import InsuranceReading, is_insurance_fund_depleted
from statemachines.messages.accounts import Reconciled
from statemachines.messages.control import ReadingChanged
from statemachines.messages.envelope import Body
from statemachines.messages.market import InsuranceSeen, WithdrawalsSeen
from statemachines.messages.orders import IntentEnded, OrderDenied, OrderRejected
from statemachines.refusals import RefusalCause
from statemachines.risk.machine import GLOBAL, Level
from statemachines.risk.parameters import RiskParameters, Switch
from statemachines.risk.readings.switch_machine import AutomaticSwitch, Outcome, Reading
from statemachines.risk.risk_states import RiskStates
from statemachines.risk.switches import (
    DecidedOrder,
    are_orders_rejected,
    fresh_rejections,
    is_reconciliation_off,
    with_decided,
)
from statemachines.solvency.terms import COINS
from statemachines.values import ENGINE_OF, HOUR_MS, ActorName

ROW = "switches"
"""The key of the durable row."""

Effect = tuple[str, Level]
"""A scope and the level that is demanded for it."""


class Switchboard:
    """All switches by name and subject, the last orders, the insurance fund's readings. Mutable."""

    def __init__(self, parameters: RiskParameters, states: RiskStates) -> None:
        self._parameters = parameters
        self._states = states
        self._switches: dict[str, AutomaticSwitch] = {}
        self.decided: list[DecidedOrder] = []
        self._fund: list[InsuranceReading] = []
        self._is_dirty = False

    # --- readings ---

    def take(self, body: Body, now_ms: int) -> Commands:
        """A message that is nothing but a reading; any other is ignored."""
        match body:
            case ReadingChanged():
                return self.take_changed(body, now_ms)
            case InsuranceSeen():
                return self.take_insurance(body)
            case WithdrawalsSeen():
                return self.take_withdrawals(body)
        return []

    def take_changed(self, body: ReadingChanged, now_ms: int) -> Commands:
        """R2: exchange unreachable, data stale, clock off. Their streaks and good minutes are counted in wall time
        where they are read."""
        switch = self._switch(body.switch)
        if not body.is_bad:
            outcome = switch.take_good()
            return [*self._ended(switch, outcome, now_ms), *self._held(body, now_ms)]
        evidence = [Reading(now_ms - one.age_ms, one.source, one.value, one.limit) for one in body.readings]
        outcome = switch.trip(evidence, now_ms)
        effects: tuple[Effect, ...] = ((GLOBAL, Level.REDUCE_ONLY),)
        return [*self._tripped(switch, outcome, effects, body.reason, now_ms), *self._held(body, now_ms)]

    def take_reconciled(self, body: Reconciled, now_ms: int) -> Commands:
        """R2: the second comparison in a row that finds differences halts the account's engine. An account that could
        not be compared has no reading."""
        policy = self._parameters.switches.reconciliation_mismatch
        commands: Commands = []
        for account, count in body.by_account.items():
            switch = self._switch(Switch.RECONCILIATION_MISMATCH, account)
            if not is_reconciliation_off(count, self._parameters):
                commands += self._ended(switch, switch.take_good(), now_ms)
                continue
            found = [text for text in body.details if text.startswith(f"{account} ")]
            value = f"{count} differences: {'; '.join(found[:3])}"
            reading = Reading(
                body.market_ms, f"comparison ({body.reason})", value, f"at most {self._parameters.mismatch_tolerance}"
            )
            outcome = switch.take_bad(reading, policy)
            engine = ENGINE_OF.get(account)
            effects = () if engine is None else ((str(engine), policy.level),)
            reason = f"RM-4: the comparison of {account} with the exchange found {value} again"
            commands += self._tripped(switch, outcome, effects, reason, now_ms)
            if outcome.has_tripped and engine is not None:
                commands += self._demand_once(effects, switch, reason, now_ms)
        return commands

    def take_ended(self, body: IntentEnded, now_ms: int) -> Commands:
        """Evaluate the reject switch after every order that the exchange has decided on; the share is over many orders
        (R2)."""
        if isinstance(body, OrderDenied) or _never_arrived(body):
            return []
        rejection = ""
        if isinstance(body, OrderRejected):
            rejection = f"{body.retry_of or body.intent_id}: {body.refusal_code or body.reason}"
        order = DecidedOrder(now_ms, rejection)
        self.decided = with_decided(self.decided, order, self._parameters)
        switch = self._switch(Switch.ORDERS_REJECTED)
        if not are_orders_rejected(self.decided, now_ms, self._parameters):
            return self._ended(switch, switch.take_good(), now_ms)
        rejected = fresh_rejections(self.decided, now_ms, self._parameters)
        reason = f"RM-4: {rejected} of the last {len(self.decided)} orders were rejected within the hour"
        limit = f"{self._parameters.reject_share} of {self._parameters.reject_window}"
        fresh_ms = now_ms - self._parameters.reject_age_ms
        bad = [one for one in self.decided if one.rejection and one.at_ms > fresh_ms]
        evidence = [Reading(one.at_ms, "rejected order", one.rejection, limit) for one in bad]
        self.decided = []
        effects = ((GLOBAL, self._parameters.switches.orders_rejected.level),)
        outcome = switch.trip(evidence, now_ms)
        return [
            *self._tripped(switch, outcome, effects, reason, now_ms),
            *self._demand_once(effects, switch, reason, now_ms),
        ]

    def take_withdrawals(self, body: WithdrawalsSeen) -> Commands:
        """CH-9, R2: withdrawals of BTC, ETH or USDT are suspended on all chains in two readings a minute apart. A
        reading that lacks one of the coins is bad if another is suspended, and otherwise none."""
        policy, now_ms = self._parameters.switches.withdrawals_suspended, body.market_ms
        switch = self._switch(Switch.WITHDRAWALS_SUSPENDED)
        counted = [one for one in body.coins if one.coin in COINS]
        suspended = [one for one in counted if one.is_suspended]
        effects: tuple[Effect, ...] = ((str(ActorName.CORE_HODL), policy.level), (GLOBAL, policy.global_level))
        if not suspended:
            if {one.coin for one in counted} != {*COINS}:
                return []
            outcome = switch.take_good(policy.consecutive)
            return [*self._ended(switch, outcome, now_ms), *self._release(effects, switch, outcome, now_ms)]
        value = ", ".join(f"{one.coin}: {one.open_chains} of {one.chains} chains open" for one in suspended)
        reading = Reading(now_ms, "withdrawal status of the exchange", value, "at least 1 chain open")
        outcome = switch.take_bad(reading, policy, policy.apart_ms)
        reason = f"CH-9: withdrawals are suspended at the exchange ({value}), in {len(switch.bad)} readings"
        commands = self._tripped(switch, outcome, effects, reason, now_ms)
        return commands + (self._demand(effects, switch, reason, now_ms) if outcome.has_tripped else [])

    def take_insurance(self, body: InsuranceSeen) -> Commands:
        """FU-9, R2: the insurance fund has fallen by more than the limit within the window; the rule itself requires
        consecutive readings."""
        policy, now_ms = self._parameters.switches.insurance_fund, body.market_ms
        if self._fund and now_ms <= self._fund[-1].market_ms:
            return []
        since_ms = now_ms - policy.window_h * HOUR_MS
        kept = [one for one in self._fund if one.market_ms >= since_ms]
        self._fund = [*kept, InsuranceReading(now_ms, body.balance_usdt)]
        switch = self._switch(Switch.INSURANCE_FUND)
        effects: tuple[Effect, ...] = ((str(ActorName.FUNDING), policy.level),)
        if not is_insurance_fund_depleted(self._fund, policy.limits):
            outcome = switch.take_good()
            return [*self._ended(switch, outcome, now_ms), *self._release(effects, switch, outcome, now_ms)]
        peak = max(self._fund, key=lambda one: one.balance_usdt)
        limit = f"{peak.balance_usdt * (1 - policy.fall):f} USDT"
        shown = [peak, *self._fund[-policy.consecutive :]]
        evidence = [Reading(one.market_ms, "insurance fund", f"{one.balance_usdt:f} USDT", limit) for one in shown]
        reason = (
            f"FU-9: the insurance fund fell from {peak.balance_usdt:f} to {body.balance_usdt:f} USDT within "
            f"{policy.window_h} h, limit {policy.fall}"
        )
        outcome = switch.trip(evidence, now_ms)
        commands = self._tripped(switch, outcome, effects, reason, now_ms)
        return commands + (self._demand(effects, switch, reason, now_ms) if outcome.has_tripped else [])

    # --- effects ---

    def _held(self, body: ReadingChanged, now_ms: int) -> Commands:
        return self._states.take_reading(body.switch, body.reason, now_ms, is_bad=body.is_bad)

    def _demand(self, effects: Sequence[Effect], switch: AutomaticSwitch, reason: str, now_ms: int) -> Commands:
        return [
            command
            for scope, level in effects
            for command in self._states.demand(scope, switch.key, level, reason, now_ms)
        ]

    def _demand_once(self, effects: Sequence[Effect], switch: AutomaticSwitch, reason: str, now_ms: int) -> Commands:
        return [
            command
            for scope, level in effects
            for command in self._states.demand_once(scope, switch.key, level, reason, now_ms)
        ]

    def _release(self, effects: Sequence[Effect], switch: AutomaticSwitch, outcome: Outcome, now_ms: int) -> Commands:
        """RM-2: the demand ends with the readings; the state follows after 24 h of calm, HALTED by the operator."""
        if not outcome.has_ended:
            return []
        return [command for scope, _ in effects for command in self._states.release(scope, switch.key, now_ms)]

    # --- evidence ---

    def _tripped(
        self, switch: AutomaticSwitch, outcome: Outcome, effects: Sequence[Effect], reason: str, now_ms: int
    ) -> Commands:
        if not outcome.has_tripped:
            return [*outcome.notes]
        effect = ", ".join(f"{scope} {level.name}" for scope, level in effects) or "none"
        return [*outcome.notes, Record(switch.begun(effect, reason, now_ms))]

    def _ended(self, switch: AutomaticSwitch, outcome: Outcome, now_ms: int) -> Commands:
        fact = switch.ended(now_ms) if outcome.has_ended else None
        return [*outcome.notes] if fact is None else [*outcome.notes, Record(fact)]

    def taken_rows(self) -> set[str]:
        """The key of its row if a reading was taken since the last call."""
        is_dirty, self._is_dirty = self._is_dirty, False
        return {ROW} if is_dirty else set()

    def _switch(self, name: str, subject: str = "") -> AutomaticSwitch:
        self._is_dirty = True
        key = f"{name}:{subject}" if subject else str(name)
        if key not in self._switches:
            self._switches[key] = AutomaticSwitch(key)
        return self._switches[key]

    # --- durability ---

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {
            "switches": {key: one.to_data() for key, one in sorted(self._switches.items())},
            "decided": [list(order) for order in self.decided],
            "fund": [[one.market_ms, str(one.balance_usdt)] for one in self._fund],
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore from the result of `to_data`."""
        self._switches = {key: AutomaticSwitch.from_data(key, one) for key, one in data["switches"].items()}
        self.decided = [DecidedOrder(int(at_ms), str(text)) for at_ms, text in data["decided"]]
        self._fund = [InsuranceReading(int(at_ms), Decimal(balance)) for at_ms, balance in data["fund"]]


def _never_arrived(body: IntentEnded) -> bool:
    """Whether the exchange has decided nothing: it refused the connection, so that the order was not sent. That is no
    rejection: an exchange that comes back after a restart would otherwise forbid new risk for a day."""
    return isinstance(body, OrderRejected) and not body.refusal_code and body.refusal is RefusalCause.PASSING
