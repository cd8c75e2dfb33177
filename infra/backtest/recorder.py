"""The store of a backtest: what machines need to continue stays, everything else becomes rows of the record.

Years of history would otherwise fill the memory with facts that are not read before the report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import Commit, JournalRow
from infra.backtest.records import OUTSIDE, RULE_ID
from statemachines.facts import (
    BarFact,
    DiscrepancyFact,
    ExecutionFact,
    Fact,
    OrderFact,
    PostingFact,
    SwitchFact,
    TransferFact,
)
from statemachines.messages.accounts import TransferOrdered
from statemachines.messages.orders import OrderDenied
from statemachines.values import ACCOUNT_OF, ENGINES, ActorName

BARS_KEPT = 5_000
"""Per series: more than any warm-up asks for."""

_TOLD = (*ENGINES, ActorName.RISK_MANAGER)
"""Actors whose decisions the report shows; books and daily cycle appear as fills, transfers and equity. Of the
orchestrator it shows what decides on capital (OR-2, OR-4, OR-5)."""

_OF_CAPITAL = frozenset({"regime", "treasury"})
_DAILY = frozenset({"close", "standing"})
"""What the orchestrator notes about capital on every day, whether anything is decided or not."""

STOP_MOVED = "stop_moved"
"""The journal's word for a stop that the trailing rule moved; its data name the new price."""

_ROUTINE = frozenset({"approve", "assess_risk"})
"""Decisions of the risk manager that only let others pass."""


class RecordingStore(MemoryStore):
    """A `MemoryStore` that remembers for the report. `slippages` are the shares of the price that takers were modelled
    to pay, by client order id (they are part of the fills' prices already; here they are kept apart); `usd` is the
    price of a coin now, `last` that of a category's symbol, `volume` its mean hourly volume in base coin."""

    def __init__(
        self,
        slippages: Mapping[str, Decimal],
        usd: Callable[[str], Decimal | None],
        last: Callable[[str, str], Decimal],
        volume: Callable[[str, str], Decimal | None],
    ) -> None:
        super().__init__(BARS_KEPT)
        self._last = last
        self._volume = volume
        self._slippages = slippages
        self._usd = usd
        self._rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._reasons: dict[str, str] = {}
        self._triggers: dict[str, Decimal] = {}
        self._trailing: dict[tuple[str, str, Decimal], str] = {}
        self._decided: dict[str, Decimal] = {}
        self._intents: dict[str, str] = {}
        self._deployments: dict[str, str] = {}
        self._done: set[str] = set()
        self.inflows: dict[str, Decimal] = defaultdict(Decimal)
        """Transfers in per account since they were last cleared, USDT."""
        self.outflows: dict[str, Decimal] = defaultdict(Decimal)
        """Transfers out."""
        self.faults: list[str] = []

    def commit(self, commit: Commit) -> frozenset[str]:
        if commit.actor == ActorName.TACTICAL:
            self._deployments_of(commit)
        blocked = super().commit(commit)
        for envelope in commit.outbox:
            body = envelope["body"]
            if isinstance(body, TransferOrdered) and body.request_id in self._deployments:
                self._deployments[body.transfer_id] = self._deployments[body.request_id]
            if isinstance(body, OrderDenied):
                engine = _engine(body.engine)
                self._rows["refusals"] += [
                    (commit.market_ms, engine, *reason.split(": ", 1)) for reason in body.reasons
                ]
        return blocked

    def frame(self, table: str, schema: Mapping[str, Any]) -> pl.DataFrame:
        """The rows gathered so far, in the order in which they happened."""
        return pl.DataFrame(self._rows[table], schema=dict(schema), orient="row")

    def _keep_journal(self, actor: str, lines: Sequence[JournalRow]) -> None:
        if actor not in _TOLD and actor != ActorName.ORCHESTRATOR:
            return
        for line in lines:
            note = line.note
            if actor == ActorName.ORCHESTRATOR and (note.machine not in _OF_CAPITAL or note.trigger in _DAILY):
                continue
            if note.trigger == STOP_MOVED:
                self._trailing[actor, note.machine, Decimal(note.data["to"])] = note.reason
            if not note.is_bookkeeping and not (actor == ActorName.RISK_MANAGER and note.trigger in _ROUTINE):
                rules = list(dict.fromkeys(RULE_ID.findall(note.reason)))
                name = _engine(actor)
                self._rows["transitions"].append(
                    (
                        line.market_ms,
                        name,
                        note.machine,
                        note.trigger,
                        str(note.source),
                        str(note.dest),
                        rules,
                        note.reason,
                    )
                )

    def _deployments_of(self, commit: Commit) -> None:
        """To which deployment TACTICAL's orders and movements belong: its state shows it, its orders do not."""
        for row in commit.states:
            work = row.data.get("work") or {}
            for leg in (*row.data.get("past_legs", ()), *work.get("legs", ())):
                self._deployments[leg["intent_id"]] = row.key
            for movement in row.data.get("returns", ()):
                self._deployments[movement["request_id"]] = row.key

    def _write(self, fact: Fact) -> None:
        match fact:
            case BarFact():
                self._keep_bar(fact)
            case OrderFact():
                self._order(fact)
            case ExecutionFact():
                self._fill(fact)
            case PostingFact():
                self._posting(fact)
            case TransferFact():
                self._transfer(fact)
            case DiscrepancyFact() if fact.kind == "deposit":
                pass  # expected: its posting becomes a row
            case DiscrepancyFact():
                what = f"{fact.account}: {fact.kind} of {fact.subject}, ours {fact.ours}, the exchange's {fact.theirs}"
                self.faults.append(f"discrepancy at {fact.found_ms}: {what}; {fact.resolution}")
            case SwitchFact():
                super()._write(fact)

    def _order(self, fact: OrderFact) -> None:
        self._reasons[fact.client_order_id] = fact.reason
        self._intents[fact.client_order_id] = fact.intent_id
        if fact.trigger_price is not None:
            self._triggers[fact.client_order_id] = fact.trigger_price
        if fact.intent_id not in self._decided:
            self._decided[fact.intent_id] = self._last(fact.category, fact.symbol)

    def _purpose(self, fact: ExecutionFact) -> str:
        """Why the order was there. A stop is asked for by TR-5 and may be moved by TR-6: the rule in force is that of
        the price at which it rests at the exchange."""
        trigger = self._triggers.get(fact.client_order_id)
        asset = fact.symbol.removesuffix("USDT")
        moved = None if trigger is None else self._trailing.get((fact.engine, asset, trigger))
        return self._reasons.get(fact.client_order_id, "") if moved is None else moved

    def _paid(self, fact: ExecutionFact) -> Decimal:
        """The slippage of a taker's fill, in USDT; an order without one of ours (a liquidation) pays none."""
        slippage = self._slippages.get(fact.client_order_id, Decimal(0))
        sign = 1 if fact.side == "Buy" else -1
        return Decimal(0) if fact.is_maker else fact.quantity * fact.price * slippage / (1 + sign * slippage)

    def _shortfall(self, fact: ExecutionFact) -> Decimal:
        """What a fill cost against the price at which it was decided, beyond the taker's slippage; negative where
        waiting paid. A stop is decided when it fires."""
        decided = self._decided.get(self._intents.get(fact.client_order_id, ""))
        if decided is None or fact.client_order_id in self._triggers:
            return Decimal(0)
        moved = (fact.price - decided) * fact.quantity * (1 if fact.side == "Buy" else -1)
        return moved - self._paid(fact)

    def _fill(self, fact: ExecutionFact) -> None:
        notional = fact.quantity * fact.price
        fee = fact.fee if fact.fee_coin == "USDT" else fact.fee * fact.price
        paid, volume = self._paid(fact), self._volume(fact.category, fact.symbol)
        self._rows["fills"].append(
            (
                fact.executed_ms,
                _engine(fact.engine),
                fact.category,
                fact.symbol,
                str(fact.side),
                float(fact.quantity),
                float(fact.price),
                float(notional),
                float(fee),
                fact.is_maker,
                float(paid),
                float(self._shortfall(fact)),
                None if volume is None else float(fact.quantity / volume),
                float(fact.realized_pnl),
                "trade" if fact.client_order_id else "liquidation",
                fact.client_order_id or fact.venue_order_id,
                self._purpose(fact),
                self._deployments.get(self._intents.get(fact.client_order_id, ""), ""),
            )
        )

    def _posting(self, fact: PostingFact) -> None:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for line in fact.lines:
            sums[line.coin] += line.amount
        self.faults += [f"posting {fact.posting_id} leaves {total} {coin}" for coin, total in sums.items() if total]
        if fact.kind == "deposit":
            self._rows["transfers"] += [
                (fact.posted_ms, OUTSIDE, line.account, float(line.amount), "OR-5 deposit", line.coin,
                 float(line.amount), "")
                for line in fact.lines if line.ledger_account == "wallet"
            ]  # fmt: skip
        if fact.kind == "funding":
            symbol = fact.description.removeprefix("funding of ").split(" ", 1)[0]
            for line in fact.lines:
                if line.ledger_account == "wallet":
                    self._rows["funding"].append((fact.posted_ms, line.account, symbol, float(line.amount)))

    def _transfer(self, fact: TransferFact) -> None:
        if fact.state != "DONE" or fact.transfer_id in self._done:
            return
        self._done.add(fact.transfer_id)
        price = self._usd(fact.coin)
        if price is None:
            raise ValueError(f"transfer {fact.transfer_id} moves {fact.coin}, which has no price")
        value = fact.amount * price
        self.outflows[fact.from_account] += value
        self.inflows[fact.to_account] += value
        what = fact.purpose if fact.coin == "USDT" else f"{fact.purpose} ({fact.amount:f} {fact.coin})"
        self._rows["transfers"].append(
            (
                fact.updated_ms,
                fact.from_account,
                fact.to_account,
                float(value),
                what,
                fact.coin,
                float(fact.amount),
                self._deployments.get(fact.transfer_id, ""),
            )
        )


def _engine(name: str) -> str:
    """The account's name of an engine (CORE-HODL), which is also what the report calls it; others as they are."""
    return str(ACCOUNT_OF[ActorName(name)]) if name in ENGINES else name
