"""When the exchange's solvency is read, and which readings are passed on (FU-9, CH-9). Pure; market time.

On a real exchange it is read every minute. In lockstep it is read at the start and every eight hours, when funding
settles, and once more a minute after a reading that differs from the one before, so that no switch trips on one.

A reading is passed on when it differs from the last one that was, once more to confirm it, and every eight hours: the
decisions see every change, and no actor stores a thousand equal figures a day. On a real exchange suspended withdrawals
are passed on at every reading, and a fund that has fallen as often as a switch may require it: however many readings
running it is set to, it trips when it should.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from statemachines.commands import Alert, AlertEnded, Commands, Send
from statemachines.limits.insurance_fund import MOST_READINGS
from statemachines.messages.market import InsuranceSeen, WithdrawalsSeen
from statemachines.requests import WHOLE_ACCOUNT, SetAside
from statemachines.solvency.terms import COINS, INSURANCE, CoinWithdrawals, ReadSolvency, SolvencyRead
from statemachines.unusable_data import UnusableData
from statemachines.values import HOUR_MS, MINUTE_MS, Account

REGULAR_MS = 8 * HOUR_MS
"""How often it is read in lockstep, and how often an unchanged reading is passed on."""

CONFIRMED_AFTER_MS = MINUTE_MS
"""R2: two readings a minute apart."""

CHANGE = Decimal("0.001")
"""A balance that differs by less of itself is the same: a pool that moves by the minute is not reported each time."""

FAILURES_UNTIL_UNREAD = 3
"""So many failed readings running count as unreadable: missing data halts entries."""

ACCESS = "solvency-access"


@dataclass(slots=True)
class _Told:
    """What was passed on last of one part, when, and how many of the next equal readings confirm it."""

    value: object
    at_ms: int
    confirmations: int


class SolvencyWatch:
    """Mutable and not durable: a new incarnation reads and passes on anew. `every_ms` None: lockstep."""

    def __init__(self, symbols: Sequence[str], every_ms: int | None, unusable: UnusableData) -> None:
        self.request = ReadSolvency(coins=COINS, symbols=tuple(symbols))
        self.due_ms: int | None = None
        """When the next reading is due, besides those at a close."""
        self._every_ms = every_ms
        self._unusable = unusable
        self._told: dict[str, _Told] = {}
        self._failures = 0
        self._no_access: str | None = None

    def is_due(self, now_ms: int) -> bool:
        """Whether a reading is due; it is then no longer."""
        if self.due_ms is None or self.due_ms > now_ms:
            return False
        self.due_ms = None
        return True

    def is_due_at_close(self, close_ms: int) -> bool:
        """Lockstep: whether it is read at this closing instant."""
        return self._every_ms is None and close_ms % REGULAR_MS == 0

    def take(self, read: SolvencyRead, now_ms: int) -> Commands:
        """A reading: what it says is passed on, what it does not say halts entries (FUNDING's for the fund, all on a
        coin's markets for the coin)."""
        self._failures = 0
        commands = self._access(read.no_access)
        commands += self._parts(read)
        if read.insurance_usdt is not None:
            commands += self._fund(read.insurance_usdt, now_ms)
        if read.withdrawals:
            commands += self._withdrawals(read.withdrawals, now_ms)
        confirms = any(one.confirmations for one in self._told.values())
        if self._every_ms is not None:
            self.due_ms = now_ms + self._every_ms
        elif confirms:
            self.due_ms = now_ms + CONFIRMED_AFTER_MS
        return commands

    def failed(self, why: str, now_ms: int) -> Commands:
        """The exchange did not answer, which is neither good nor bad; it is read again in a minute."""
        self.due_ms = now_ms + (self._every_ms or CONFIRMED_AFTER_MS)
        self._failures += 1
        if self._failures != FAILURES_UNTIL_UNREAD:
            return []
        problem = f"it could not be read {self._failures} times: {why}."
        return [command for part in (INSURANCE, *COINS) for command in self._unusable.begin(_aside(part, problem))]

    # --- parts ---

    def _access(self, no_access: str) -> Commands:
        if no_access == self._no_access:
            return []
        before, self._no_access = self._no_access, no_access
        if not no_access:
            return [AlertEnded(ACCESS, "the exchange answers")]
        if before:
            return []
        text = (
            f"{no_access}. Suspended withdrawals (CH-9) and a fall of the insurance fund (FU-9) are not seen as far as "
            "this concerns them; everything else is unaffected. Give the key of the master account the right to read "
            "assets, or watch both yourself."
        )
        return [Alert("warning", "The exchange does not show whether it can pay", text, ACCESS)]

    def _parts(self, read: SolvencyRead) -> Commands:
        commands: Commands = []
        known = [INSURANCE] if read.insurance_usdt is not None else []
        known += [one.coin for one in read.withdrawals]
        for part in known:
            one = _aside(part, "")
            commands += self._unusable.end(one.kind, one.category, one.symbol)
        for part, problem in read.unread.items():
            commands += self._unusable.begin(_aside(part, problem))
        return commands

    def _fund(self, balance_usdt: Decimal, now_ms: int) -> Commands:
        told = self._told.get(INSURANCE)
        before = told.value if told is not None and isinstance(told.value, Decimal) else None
        is_same = before is not None and abs(balance_usdt - before) <= CHANGE * before
        confirmations = 0 if before is None else 1
        if before is not None and balance_usdt < before and self._every_ms is not None:
            confirmations = MOST_READINGS
        if not self._is_news(INSURANCE, balance_usdt, now_ms, is_same, confirmations):
            return []
        return [Send(InsuranceSeen(balance_usdt=balance_usdt, market_ms=now_ms))]

    def _withdrawals(self, found: Sequence[CoinWithdrawals], now_ms: int) -> Commands:
        value = tuple((one.coin, one.is_suspended) for one in found)
        before = self._told.get("withdrawals")
        is_same = before is not None and before.value == value
        is_bad = any(one.is_suspended for one in found)
        is_repeated = is_bad and self._every_ms is not None
        confirmations = 1 if before is not None or is_bad else 0
        if not self._is_news("withdrawals", value, now_ms, is_same and not is_repeated, confirmations):
            return []
        return [Send(WithdrawalsSeen(coins=tuple(found), market_ms=now_ms))]

    def _is_news(self, part: str, value: object, now_ms: int, is_same: bool, confirmations: int) -> bool:
        """Whether a reading is passed on; one that is not the same is followed by so many `confirmations`. The first
        one needs none unless it is bad."""
        before = self._told.get(part)
        if before is None or not is_same:
            self._told[part] = _Told(value, now_ms, confirmations)
            return True
        if not before.confirmations and now_ms - before.at_ms < REGULAR_MS:
            return False
        before.at_ms, before.confirmations = now_ms, max(0, before.confirmations - 1)
        return True


def _aside(part: str, problem: str) -> SetAside:
    """What entries rest on: FUNDING's on the fund (FU-9), those of every market of a coin on its withdrawals (CH-9)."""
    if part == INSURANCE:
        text = f"the insurance fund: {problem}"
        return SetAside(kind="insurance", category=WHOLE_ACCOUNT, symbol=Account.FUNDING.value, problem=text)
    return SetAside(kind="withdrawals", category="", symbol=part, problem=f"withdrawals of {part}: {problem}")
