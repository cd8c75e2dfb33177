"""The venue's state in one object, and the list of what changed since frames were last made."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from infra.simulator.config import AccountConfig, SimConfig
from infra.simulator.market.path import PathPoints
from infra.simulator.market.port import Market
from infra.simulator.venue.conditions import Conditions
from infra.simulator.venue.conditions.shocks import shocked
from infra.simulator.venue.errors import params_error
from infra.simulator.venue.instruments import Instrument, instrument, unknown_symbol
from infra.simulator.venue.model import Account, Liquidation, Order, Position, Row
from infra.simulator.venue.prices import Prices
from infra.simulator.venue.registers.own_volume import OwnVolume
from infra.simulator.venue.registers.registry import Registry

FUNDING_STAGE, BARS_STAGE = -2, -1
NEVER_MS = 2**62


@dataclass(slots=True)
class Changes:
    """What happened to one account in one operation; becomes execution, order, position and wallet frames."""

    orders: list[Order] = field(default_factory=list)
    executions: list[Row] = field(default_factory=list)
    positions: dict[str, None] = field(default_factory=dict)
    wallet: bool = False


class Venue:
    """State of the matching core. Time is ``now_ms`` (market time); ``stage`` is the next thing due in ``hour_ms``.

    ``queue`` holds work of the present instant that has not been done yet, one item per micro-step:
    ``["fund", account]``, ``["public", what]``, ``["match", account, [[order id, price], ...]]``.
    """

    def __init__(self, market: Market, config: SimConfig) -> None:
        self._base_market = market
        self.market = market
        self.config = config
        self.now_ms = market.start_ms
        self.hour_ms = market.start_ms
        self.stage = BARS_STAGE
        self.step = 0
        self.ended = False
        self.queue: list[list[Any]] = []
        self.seq = 0
        self.prices = Prices(market, market.start_ms, 0, PathPoints(config.tick_ms))
        self.accounts: dict[str, Account] = {}
        self.by_uid: dict[int, Account] = {}
        for settings in config.accounts:
            self.open_account(settings)
        self.registry = Registry()
        self.transfers: dict[str, Row] = {}
        self.inter_transfers: dict[str, Row] = {}
        self.deposits: list[Row] = []
        self.earn_due_ms = NEVER_MS
        """When something of Earn is due next (`venue.earn`); it follows from the accounts."""
        self.conditions = Conditions()
        self.changes: dict[str, Changes] = {}
        self.liquidations: list[Liquidation] = []
        self.sleep: dict[str, tuple[int, bool]] = {}
        self.own_volume = OwnVolume()
        self.volumes: dict[tuple[str, str], tuple[int, Decimal | None]] = {}
        """The mean volume of an hour by market, and the hour for which it was found; a memo."""
        self.slippages: dict[str, Decimal] = {}
        """The slippage of each market order so far, by client order id; not part of the saved state."""

    def open_account(self, settings: AccountConfig) -> Account:
        """Add an account without money."""
        account = Account(settings.name, settings.uid, settings.is_master, updated_ms=self.now_ms)
        self.accounts[account.name] = self.by_uid[account.uid] = account
        return account

    def next_seq(self) -> int:
        """The next number of the one sequence that orders, executions and rows share."""
        self.seq += 1
        return self.seq

    def tradable(self, category: str, symbol: str) -> Instrument:
        """The instrument if it exists and is listed now; else ``VenueError`` 10001 / 170121."""
        found = instrument(category, symbol)
        if not self.prices.is_listed(category, symbol, self.now_ms) or self.conditions.is_delisted(category, symbol):
            raise unknown_symbol(category, symbol)
        return self.conditions.instrument(found)

    def listed(self) -> list[Instrument]:
        """The instruments that can be traded now, with their present filters, in the market's order."""
        gone, present = self.conditions.is_delisted, self.conditions.instrument
        return [present(one) for one in self.prices.listed(self.now_ms) if not gone(one.category, one.symbol)]

    @property
    def insurance_usdt(self) -> Decimal:
        """What the insurance fund holds."""
        return self.conditions.left_of_insurance(self.registry.insurance_usdt)

    def prices_changed(self) -> None:
        """Shocks have begun, ended or been read from a snapshot: what was remembered of the market is out of date."""
        path = PathPoints(self.config.tick_ms)
        self.market = shocked(self._base_market, self.conditions.shocks.values(), path)
        self.prices.replace_market(self.market)
        self.sleep.clear()

    def position(self, account: Account, symbol: str) -> Position:
        """The account's position in the perpetual, created flat on first use."""
        found = account.positions.get(symbol)
        if found is None:
            found = account.positions[symbol] = self.peek_position(account, symbol)
        return found

    def peek_position(self, account: Account, symbol: str) -> Position:
        """The same without creating it: for queries, which leave no trace in the state."""
        found = account.positions.get(symbol)
        return Position(symbol, self.config.default_leverage, self.now_ms, self.now_ms) if found is None else found

    def account(self, uid: int | None) -> Account:
        """The account of this UID; ``VenueError`` 10001 when the exchange has none."""
        found = self.by_uid.get(uid) if uid is not None else None
        if found is None:
            raise params_error(f"Unknown member id {uid}.")
        return found

    def changed(self, account: Account) -> Changes:
        """The account's list of changes of the operation under way; whatever changes, it is looked at again."""
        self.sleep.pop(account.name, None)
        found = self.changes.get(account.name)
        if found is None:
            found = self.changes[account.name] = Changes()
        return found

    def note_order(self, account: Account, order: Order) -> None:
        """Remember the order as it is now; its position and the wallet are shown again too, as Bybit does."""
        changes = self.changed(account)
        shown = copy(order)
        shown.fees = dict(order.fees)
        changes.orders.append(shown)
        changes.wallet = True
        if order.category == "linear":
            changes.positions[order.symbol] = None

    def take_changes(self) -> dict[str, Changes]:
        """The changes since the last call, by account name."""
        taken, self.changes = self.changes, {}
        return taken

    def take_liquidations(self) -> list[Liquidation]:
        """The liquidations of accounts of this exchange since the last call."""
        taken, self.liquidations = self.liquidations, []
        return taken
