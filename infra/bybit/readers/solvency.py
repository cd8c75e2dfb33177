"""Whether the exchange can pay: its insurance fund (FU-9) and the chains on which coins can be withdrawn (CH-9).

Each part is judged on its own: what cannot be read is reported as unread, never as zero and never as open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import TypeVar

from actors.runtime.ports import MarketClock
from infra.bybit.caller import Caller
from infra.bybit.errors import Fault, GatewayError
from infra.bybit.parsing.fields import Row, UnparsableError, shown_text
from statemachines.solvency.terms import INSURANCE, CoinWithdrawals, ReadSolvency, SolvencyRead
from statemachines.values import Account

FUND_COIN = "USDT"
"""The coin of the fund that covers perpetuals settled in USDT."""

NO_ACCESS = frozenset({10005, 10024, 10032})
"""The key lacks the permission, or this site does not have the endpoint (demo trading)."""

_FLAGS = ("0", "1")

T = TypeVar("T")


class SolvencyReader:
    """Reads of one process."""

    def __init__(self, caller: Caller, clock: MarketClock) -> None:
        self._caller = caller
        self._clock = clock

    def read(self, account: Account, request: ReadSolvency) -> SolvencyRead:
        """Both parts.

        Raises:
            GatewayError: the exchange did not answer; that says nothing about either part.
        """
        unread: dict[str, str] = {}
        denied: dict[str, str] = {}
        fund = _or_unread(INSURANCE, unread, denied, lambda: self._insurance(account, request.symbols))
        found: list[CoinWithdrawals] = []
        for coin in request.coins:
            one = _or_unread(coin, unread, denied, partial(self._withdrawals, account, coin))
            if one is not None:
                found.append(one)
        return SolvencyRead(
            market_ms=self._clock.now_ms(),
            insurance_usdt=fund,
            withdrawals=tuple(found),
            unread=unread,
            no_access="; ".join(f"{what}: {why}" for what, why in denied.items()),
        )

    def _insurance(self, account: Account, symbols: Sequence[str]) -> Decimal:
        answer = self._caller.result(account, "insurance", lambda s: s.get_insurance(coin=FUND_COIN))
        return parse_insurance(answer, symbols)

    def _withdrawals(self, account: Account, coin: str) -> CoinWithdrawals:
        answer = self._caller.result(account, "coin-info", lambda s: s.get_coin_info(coin=coin))
        return parse_withdrawals(answer, coin)


def parse_insurance(answer: Row, symbols: Sequence[str]) -> Decimal:
    """The pools that cover these perpetuals, in USDT: those that name one of them, and the general pool, which names
    none (bybit-v5, `/v5/market/insurance`). Raises UnparsableError when there is none."""
    wanted, balances = set(symbols), []
    for row in answer.rows("list", "insurance pool"):
        row.repeats("coin", FUND_COIN)
        names = _pool_symbols(row)
        if not names or names & wanted:
            balances.append(row.quantity("balance"))
    if not balances:
        raise UnparsableError(
            f"answer about the insurance fund: no pool of {FUND_COIN} covers {', '.join(sorted(wanted))}; "
            "at least 1 is required."
        )
    return sum(balances, Decimal(0))


def _pool_symbols(row: Row) -> set[str]:
    """The names are one text, which may be longer than any other: hundreds of symbols."""
    names = row.raw("symbols")
    if not isinstance(names, str):
        raise row.error("symbols", names, "a text of symbols with commas")
    return {name for name in names.split(",") if name}


def parse_withdrawals(answer: Row, coin: str) -> CoinWithdrawals:
    """A coin's chains. One without a fee (`withdrawFee` "") never allows withdrawals and is left out."""
    rows = [row for row in answer.rows("rows", "coin") if row.raw("coin") == coin]
    if len(rows) != 1:
        raise UnparsableError(f"answer about coin {coin}: it has {len(rows)} rows of it; 1 is required.")
    chains = opened = 0
    for chain in rows[0].rows("chains", f"chain of {coin}"):
        flag = chain.text("chainWithdraw")
        if flag not in _FLAGS:
            raise chain.error("chainWithdraw", flag, '"0" or "1"')
        if not chain.text_or_empty("withdrawFee"):
            continue
        chains += 1
        opened += flag == "1"
    return CoinWithdrawals(coin=coin, chains=chains, open_chains=opened)


def _or_unread(part: str, unread: dict[str, str], denied: dict[str, str], read: Callable[[], T]) -> T | None:
    """What one query says; None and an entry when it cannot be read or is refused for good."""
    try:
        return read()
    except UnparsableError as error:
        unread[part] = shown_text(str(error), 400)
    except GatewayError as error:
        if error.code in NO_ACCESS or error.http_status == 404:
            denied[part] = shown_text(f"code {error.code}: {error.message}", 400)
        elif error.is_unreadable or error.fault is Fault.PERMANENT:
            unread[part] = shown_text(error.message, 400)
        else:
            raise
    return None
