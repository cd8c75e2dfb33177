"""The risk manager's measurements: drawdown at daily closes (RM-3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, Commands, Remark
from statemachines.messages.accounts import Portfolio
from statemachines.portfolio.holdings import AccountHoldings
from statemachines.risk.drawdown import (
    Track,
    demanded_level,
    fall_from_peak,
    next_track,
    one_day_fall,
    rebased,
)
from statemachines.risk.machine import DRAWDOWN_RULE, Level
from statemachines.risk.order_view import percent, usdt
from statemachines.risk.parameters import DrawdownGroup, RiskParameters
from statemachines.risk.risk_states import RiskStates
from statemachines.risk.standstill import Standstill, is_flat, next_standstill
from statemachines.state_store import RowKind
from statemachines.values import ACCOUNT_OF, DAY_MS, HOUR_MS, Instrument

ZERO = Decimal(0)


def _results_1(row: StateRow) -> StateRow:
    """Schema 1 held the streaks of RM-4 too, which have a row of their own now. A streak begins anew: the difference of
    one comparison, or up to 50 orders, are counted again."""
    data = {name: value for name, value in row.data.items() if name not in ("streaks", "decided", "rejects")}
    return row._replace(schema=2, data={"standstills": {}} | data)


RESULTS = RowKind("results", 2, {1: _results_1})
"""The row of the measurements, and its former shape."""


class Results:
    """Track records of the engine groups, and the portfolio at the last close."""

    def __init__(self, parameters: RiskParameters, states: RiskStates) -> None:
        self._parameters = parameters
        self._states = states
        self.tracks: dict[str, Track] = {name: Track() for name in parameters.drawdown}
        self.standstills: dict[str, Standstill] = {}
        self.alerted: set[str] = set()
        self.close_equity_usdt: Decimal | None = None

    # --- RM-3, at a daily close ---

    def measure(
        self, portfolio: Portfolio, book: AccountHoldings, instruments: Mapping[str, Instrument], close_ms: int
    ) -> Commands:
        """Evaluate one daily close: drawdown per group, the portfolio's one-day fall. Resets the flows."""
        commands: Commands = []
        for name, group in self._parameters.drawdown.items():
            accounts = [ACCOUNT_OF[engine] for engine in group.engines]
            equity = sum((portfolio.accounts[account].equity_usdt for account in accounts), ZERO)
            self.tracks[name] = next_track(self.tracks[name], equity, book.flows_of(accounts))
            commands += self._judge_group(name, group, close_ms)
            are_flat = all(is_flat(portfolio.accounts[one], instruments, portfolio.prices) for one in accounts)
            commands += self._judge_standstill(name, group, are_flat, close_ms)
        commands += self._judge_fall(portfolio, book, close_ms)
        self.close_equity_usdt = portfolio.equity_usdt
        book.clear_flows()
        return commands

    def _judge_group(self, name: str, group: DrawdownGroup, close_ms: int) -> Commands:
        fall = fall_from_peak(self.tracks[name])
        if group.alert is not None:
            return self._report_group(name, fall, group.alert)
        level = demanded_level(fall, group)
        commands: Commands = []
        for engine in group.engines:
            if level is Level.NORMAL:
                commands += self._states.release(str(engine), DRAWDOWN_RULE, close_ms)
                continue
            limit = group.reduce_only if level is Level.REDUCE_ONLY else group.caution
            assert limit is not None
            reason = f"RM-3: {name} is {percent(fall)} below its peak at the daily close, limit {percent(limit)}"
            commands += self._states.demand(str(engine), DRAWDOWN_RULE, level, reason, close_ms)
        return commands

    def _judge_standstill(self, name: str, group: DrawdownGroup, are_flat: bool, close_ms: int) -> Commands:
        """R1: REDUCE_ONLY by drawdown and flat for 30 days: CAUTION, and the high is reset, once in 365 days."""
        held = all(self._states.demands_reduce_only(str(engine), DRAWDOWN_RULE) for engine in group.engines)
        before = self.standstills.get(name, Standstill())
        found = next_standstill(before, are_flat and held and bool(group.engines), close_ms, self._parameters)
        self.standstills[name] = found.standstill
        days = self._parameters.standstill_ms // DAY_MS
        if found.waits_for_operator:
            text = (
                f"R1: {name} has been REDUCE_ONLY and flat for {days} days, the second time within "
                f"{self._parameters.standstill_again_ms // DAY_MS} days. It does not return automatically: give the "
                "command 'normal' when it should trade again."
            )
            return [Alert("critical", f"{name} requires your decision", text, f"standstill:{name}")]
        if not found.ends:
            is_over = before.since_ms is not None and found.standstill.since_ms is None
            return [AlertEnded(f"standstill:{name}")] if is_over else []
        fall = fall_from_peak(self.tracks[name])
        self.tracks[name] = rebased(self.tracks[name])
        reason = f"R1: {days} days REDUCE_ONLY and flat at {percent(fall)} below the high, which is reset"
        return [
            command
            for engine in group.engines
            for command in self._states.end_standstill(str(engine), DRAWDOWN_RULE, reason, close_ms)
        ]

    def _report_group(self, name: str, fall: Decimal, limit: Decimal) -> Commands:
        if fall <= limit:
            if name not in self.alerted:
                return []
            self.alerted.discard(name)
            return [AlertEnded(f"drawdown:{name}", f"{name} is {percent(fall)} below its peak")]
        if name in self.alerted:
            return []
        self.alerted.add(name)
        text = f"RM-3: {name} is {percent(fall)} below its peak (alert at {percent(limit)}). No action is taken."
        told = (
            f"RM-3: {name} was {fall * 100:.2f} % below its peak at the daily close at which this alert was raised; "
            f"the limit is {limit * 100:.2f} %. No rule acts on it: {name} sells nothing and keeps to its plan. "
            "Nothing is required of you; if you want less risk, `eternal control pause` stops new purchases, and the "
            f"policy sets the weights. The alert ends at a fall of {limit * 100:.2f} % or less."
        )
        return [
            Remark(name, "drawdown_alert", text),
            Alert("warning", f"{name} has fallen by more than {limit * 100:.0f} %", told, f"drawdown:{name}"),
        ]

    def _judge_fall(self, portfolio: Portfolio, book: AccountHoldings, close_ms: int) -> Commands:
        if self.close_equity_usdt is None:
            return []
        flows = book.flows_of(portfolio.accounts)
        fall = one_day_fall(self.close_equity_usdt, portfolio.equity_usdt, flows)
        if fall <= self._parameters.one_day_fall:
            return []
        until_ms = close_ms + self._parameters.fall_block_ms
        reason = (
            f"RM-3: the portfolio fell {percent(fall)} in one day, from {usdt(self.close_equity_usdt)} to "
            f"{usdt(portfolio.equity_usdt)} with {usdt(flows.inflow_usdt)} from outside and {usdt(flows.outflow_usdt)} "
            "to outside; "
            f"limit {percent(self._parameters.one_day_fall)}"
        )
        commands: Commands = []
        for engine in self._parameters.fall_blocks:
            commands += self._states.block_entries(str(engine), until_ms, reason)
        hours = self._parameters.fall_block_ms // HOUR_MS
        text = (
            f"{reason}. Entries of {', '.join(self._parameters.fall_blocks)} are blocked for {hours} h; positions and "
            "their stops stay, and entries resume by themselves. No action is required."
        )
        return [*commands, Alert("critical", "The portfolio fell by more than the limit in one day", text)]

    def rebase(self, scope: str) -> None:
        """The operator has set NORMAL: the drawdown of the scope's group is measured from here on."""
        for name, group in self._parameters.drawdown.items():
            if scope in (str(engine) for engine in group.engines):
                self.tracks[name] = rebased(self.tracks[name])
                self.standstills[name] = self.standstills.get(name, Standstill())._replace(since_ms=None)

    # --- durability ---

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {
            "tracks": {n: [str(t.result), str(t.peak), _text(t.equity_usdt)] for n, t in sorted(self.tracks.items())},
            "standstills": {name: list(one) for name, one in sorted(self.standstills.items())},
            "alerted": sorted(self.alerted),
            "close_equity_usdt": _text(self.close_equity_usdt),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore from the result of `to_data`; groups that are no longer configured are discarded."""
        for name, (result, peak, equity) in data["tracks"].items():
            if name in self.tracks:
                self.tracks[name] = Track(Decimal(result), Decimal(peak), _decimal(equity))
        self.standstills = {name: Standstill(*one) for name, one in data["standstills"].items()}
        self.alerted = set(data["alerted"])
        self.close_equity_usdt = _decimal(data["close_equity_usdt"])


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
