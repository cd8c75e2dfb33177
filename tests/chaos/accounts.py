"""What the exchange's own lists and the API show of a drill's accounts."""

from __future__ import annotations

from decimal import Decimal

import httpx
from pybit.unified_trading import HTTP

from api.tokens import read_token
from benchmarks.order_books import session_of
from infra.simulator.venue.instruments import INSTRUMENTS
from statemachines.values import ACCOUNT_OF, LINEAR, ActorName
from tests.chaos.rig import Drill


def held(drill: Drill, engine: ActorName) -> dict[str, Decimal]:
    """Positions of a lot or more at the exchange."""
    rows = session(drill, engine).get_positions(category=LINEAR, settleCoin="USDT")["result"]["list"]
    sizes = {row["symbol"]: Decimal(row["size"]) for row in rows}
    return {symbol: size for symbol, size in sizes.items() if size >= Decimal(INSTRUMENTS[LINEAR, symbol].min_qty)}


def open_orders(drill: Drill, engine: ActorName) -> list[str]:
    """Client ids of the engine's open orders at the exchange."""
    account = session(drill, engine)
    linear = account.get_open_orders(category=LINEAR, settleCoin="USDT")["result"]["list"]
    return [row["orderLinkId"] for row in (*linear, *account.get_open_orders(category="spot")["result"]["list"])]


def coins(drill: Drill) -> Decimal:
    """BTC of CORE-HODL in its wallet."""
    wallet = session(drill, ActorName.CORE_HODL).get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]
    return next((Decimal(row["walletBalance"]) for row in wallet["coin"] if row["coin"] == "BTC"), Decimal(0))


def session(drill: Drill, engine: ActorName) -> HTTP:
    """Bare pybit with the key of the engine's account."""
    exchange = drill.system.exchange
    assert exchange is not None
    return session_of(exchange.url, exchange.keys_file, ACCOUNT_OF[engine])


def ask(drill: Drill, path: str) -> object:
    """The API's answer."""
    headers = read_token(drill.system.config.token_file).header()
    return httpx.get(f"{drill.system.api_url}{path}", headers=headers, timeout=30, trust_env=False).json()


def switches(drill: Drill) -> list[dict[str, str]]:
    """Every scope's state and stage of flattening."""
    found = ask(drill, "/api/v1/switches")
    assert isinstance(found, list)
    return found


def stages(drill: Drill) -> list[str]:
    """Where each procedure of flattening stands."""
    return [row["flatten"] for row in switches(drill) if row["flatten"] is not None]


def history(drill: Drill) -> list[tuple[str, ...]]:
    """The operator's commands: action, scope, who, reason."""
    found = ask(drill, "/api/v1/control/history")
    assert isinstance(found, dict)
    return [tuple(row[name] for name in ("action", "scope", "who", "reason")) for row in found["rows"]]


def is_well(drill: Drill) -> bool:
    """Whether the system calls itself healthy."""
    return httpx.get(f"{drill.system.api_url}/health", timeout=30, trust_env=False).status_code == 200
