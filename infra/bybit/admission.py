"""Whether accounts and keys are what the system may trade with, asked before anything starts (bybit-v5 4.5, 4.7).

A key that can do less than its work fails later and half-way; a key that can withdraw puts everything at stake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pybit.unified_trading import HTTP

from infra.bybit.caller import Caller
from infra.bybit.errors import GatewayError
from infra.bybit.listing import is_unlisted
from infra.bybit.parsing.fields import Row, UnparsableError
from infra.bybit.session import Sessions
from infra.faults import OperatorError
from statemachines.market_data.parameters import MarketDataParameters
from statemachines.values import LINEAR, PERPETUAL_ACCOUNTS, Account

UNIFIED_2 = (5, 6)
"""`unifiedMarginStatus` of a unified trading account 2.0."""

PERPETUALS = MarketDataParameters().linear_symbols
"""The specification's perpetuals."""

MARGIN_MODE = "REGULAR_MARGIN"
TRADING = (("ContractTrade", "Order"), ("ContractTrade", "Position"), ("Spot", "SpotTrade"))
CANCELLING = (("ContractTrade", "Order"), ("Spot", "SpotTrade"))
"""What a key of the dead-man switch needs."""
MOVING = (("Wallet", "AccountTransfer"), ("Wallet", "SubMemberTransfer"))
WITHDRAWING = (("Wallet", "Withdraw"),)
NEVER_YEAR = 1970
"""The exchange's way to say that a key bound to addresses does not expire (bybit-v5, query-api)."""


class AdmissionError(OperatorError):
    """The system must not start on these accounts; the text has a sentence per problem and says how to fix it."""


def admit(
    sessions: Sessions,
    accounts: Sequence[Account],
    uids: Mapping[Account, int],
    perpetuals: Sequence[str] = PERPETUALS,
) -> None:
    """Look at every account and its key; `uids` are the numbers that the operator says they have, `perpetuals` the
    symbols whose position mode must be one-way.

    Raises AdmissionError with everything that is wrong, or because an answer could not be had or read.
    """
    caller = Caller(sessions, None)

    def look(account: Account, key: Row, now: datetime) -> list[str]:
        found = key_problems(account, key, uids.get(account), now)
        if account is not Account.MASTER:
            state = caller.result(account, "account", lambda session: session.get_account_info())
            found += account_problems(account, state)
        if account in PERPETUAL_ACCOUNTS:
            found += mode_problems(account, caller, perpetuals)
        return found

    if problems := _problems(caller, accounts, look):
        raise AdmissionError("\n".join(problems))


def admit_dead_man(sessions: Sessions, accounts: Sequence[Account], uids: Mapping[Account, int]) -> None:
    """Look at the dead-man switch's own keys (RM-4).

    Raises AdmissionError with everything that is wrong, or because an answer could not be had or read.
    """

    def look(account: Account, key: Row, now: datetime) -> list[str]:
        return key_problems(account, key, uids.get(account), now, CANCELLING)

    if problems := _problems(Caller(sessions, None), accounts, look):
        raise AdmissionError("\n".join(f"Dead-man switch, {one}" for one in problems))


def _problems(
    caller: Caller, accounts: Sequence[Account], look: Callable[[Account, Row, datetime], list[str]]
) -> list[str]:
    """What `look` finds about every account and its key, at one instant; an answer that could not be had or read is a
    problem of its account."""
    now = datetime.now(UTC)
    found: list[str] = []
    for account in accounts:
        try:
            key = caller.result(account, "key", lambda session: session.get_api_key_information())
            found += look(account, key, now)
        except (GatewayError, UnparsableError) as error:
            found.append(f"{account}: what its key may do could not be learnt: {error}")
    return found


def key_problems(
    account: Account,
    key: Row,
    uid: int | None,
    now: datetime,
    needed: Sequence[tuple[str, str]] | None = None,
) -> list[str]:
    """Sentences about one key: too much, too little, another account's, or past its end at `now`. Without `needed` it
    needs what the system does with the account.

    Raises UnparsableError.
    """
    groups = key.row("permissions")
    found = [
        f"{account}: its key may withdraw ({group}.{name}); make a key without withdrawal and remove this one."
        for group, name in WITHDRAWING
        if name in _permissions(groups, group)
    ]
    owner = key.integer("userID")
    if uid is not None and owner != uid:
        found.append(f"{account}: its key belongs to UID {owner}, not to {uid}; give each account its own key.")
    expires = _instant(key, "expiredAt")
    if expires.year > NEVER_YEAR and expires <= now:
        found.append(f"{account}: its key expired at {expires:%Y-%m-%d %H:%M} UTC; make a new one.")
    if key.integer("readOnly") != 0:
        found.append(f"{account}: its key may only read; make one that may trade.")
    if needed is None:
        needed = MOVING if account is Account.MASTER else TRADING
    lacking = [f"{group}.{name}" for group, name in needed if name not in _permissions(groups, group)]
    if lacking:
        found.append(f"{account}: its key lacks {', '.join(lacking)}; add what is missing on the exchange's key page.")
    return found


def account_problems(account: Account, state: Row) -> list[str]:
    """Sentences about one account's kind and margin mode."""
    found = []
    status = state.integer("unifiedMarginStatus")
    if status not in UNIFIED_2:
        found.append(
            f"{account}: unifiedMarginStatus is {status}; 5 or 6 (unified trading account 2.0) is required: upgrade it."
        )
    mode = state.text("marginMode")
    if mode != MARGIN_MODE:
        found.append(f"{account}: marginMode is {mode}; {MARGIN_MODE} (cross margin) is required: change it.")
    return found


def mode_problems(account: Account, caller: Caller, perpetuals: Sequence[str]) -> list[str]:
    """A sentence per perpetual that is not in one-way mode: there positions have two sides (`positionIdx` 1 and 2), and
    every order of this system would be refused. Asked by symbol, the exchange returns the mode of flat ones too.

    Raises GatewayError and UnparsableError.
    """
    found = []
    for symbol in perpetuals:
        where = partial(_positions_of, symbol)
        try:
            rows = caller.result(account, "positions", where).rows("list", f"position row of {symbol}")
        except GatewayError as error:
            if is_unlisted(caller, account, LINEAR, symbol, error):
                continue  # not listed (yet): it has no mode
            raise
        if not rows:
            raise UnparsableError(f"positions of {symbol}: the answer is empty, so its position mode is not known.")
        for row in rows:
            row.repeats("symbol", symbol)
        if any(row.integer("positionIdx", 0, 2) != 0 for row in rows):
            found.append(
                f"{account}: {symbol} is in hedge mode; one-way mode is required: close its position and cancel its "
                "orders, then choose one-way mode in the exchange's derivatives settings (API: POST "
                f'/v5/position/switch-mode with category "linear", symbol "{symbol}", mode 0).'
            )
    return found


def _positions_of(symbol: str, session: HTTP) -> Any:
    return session.get_positions(category="linear", symbol=symbol)


def _instant(row: Row, field: str) -> datetime:
    text = row.text(field)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise row.error(field, text, "an ISO instant") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _permissions(groups: Row, group: str) -> Sequence[Any]:
    return groups.items(group) if groups.has(group) and groups.is_list(group) else ()
