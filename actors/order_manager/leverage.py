"""TR-9: the exchange's leverage setting of the accounts that trade linear contracts, set once per symbol."""

from __future__ import annotations

from actors.order_manager.desk import Desk
from actors.order_manager.keys import Topic, other_key
from actors.order_manager.sending import patience_s
from statemachines.requests import Accepted, Outcome, Refused, SetLeverage
from statemachines.values import LINEAR, Account


class LeverageSetter:
    """Asks until the exchange has accepted; what was accepted is remembered for ever."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._pending: dict[str, str] = {}
        self._attempts: dict[str, int] = {}

    def begin(self) -> None:
        """Ask for every pair that is listed and not set yet; a contract listed later is set when it is known."""
        parameters = self._desk.parameters
        for account in parameters.leverage_accounts:
            for symbol in parameters.leverage_symbols:
                pair = f"{account}:{symbol}"
                is_listed = (LINEAR, symbol) in self._desk.instruments
                if is_listed and pair not in self._desk.control.leverage and pair not in self._pending:
                    self._ask(pair, 0.0)

    def wants(self, pair: str, key: str) -> bool:
        """Whether a delayed request still counts."""
        return self._pending.get(pair) == key

    def take_answer(self, pair: str, key: str, outcome: Outcome) -> None:
        """Setting the same leverage twice is harmless, so a lost outcome is simply asked again."""
        if self._pending.get(pair) != key:
            return
        del self._pending[pair]
        desk = self._desk
        if isinstance(outcome, Accepted):
            desk.control.leverage_set(pair)
            if self._attempts.pop(pair, 0):
                desk.calm(f"leverage:{pair}", f"the exchange has set {desk.parameters.leverage}")
            return
        attempts = self._attempts.get(pair, 0) + 1
        self._attempts[pair] = attempts
        is_final = isinstance(outcome, Refused) and outcome.fault != "transient"
        if is_final or attempts > len(desk.parameters.retry_delays_s):
            desk.alert(
                "warning",
                f"leverage of {pair} could not be set",
                f"Wanted {desk.parameters.leverage}; the last answer was {outcome.model_dump(mode='json')}. It is "
                "tried again at the next start; check the account's settings.",
                f"leverage:{pair}",
            )
            return
        self._ask(pair, patience_s(desk, attempts))

    def _ask(self, pair: str, delay_s: float) -> None:
        desk = self._desk
        account, _, symbol = pair.partition(":")
        key = other_key(Topic.LEVERAGE, pair, desk.control.next("leverage_requests"))
        self._pending[pair] = key
        request = SetLeverage(symbol=symbol, leverage=desk.parameters.leverage)
        desk.ask(key, Account(account), request, None, delay_s)
