"""A little history of every kind in a real database, for the tests of the ways in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from actors.runtime.ports import ExchangeCallRow, JournalRow
from infra.database.store import PostgresStore
from statemachines.actor_logic import StateRow
from statemachines.commands import JournalEntry, Remark
from statemachines.facts import (
    BarFact,
    DiscrepancyFact,
    ExecutionFact,
    OperatorCommandFact,
    PerformanceFact,
    PortfolioFact,
    PositionFact,
    PostingFact,
    PostingLine,
    SummaryFact,
    TransferFact,
)
from statemachines.values import DAY_MS, HOUR_MS, Side
from tests.kit import rows
from tests.kit.rows import ALERT, Pen, switch

BAR = "bar:linear:BTCUSDT:D:0"
ENTRY, STOP = "abc123t11-1", "abc123t12-1"
FILL = "execution:TREND-1:e-1"


def write_history(url: str) -> None:
    """A bar became an entry, the entry's fill a stop; and one row of everything else."""
    store = PostgresStore(url)
    try:
        _write(store)
    finally:
        store.close()


def register_command(url: str, method: str, arguments: tuple[Any, ...]) -> None:
    """What an actor that takes a command of the operator commits: its row in the register."""
    body = {"action": "reset", **arguments[0]} if method == "reset" else arguments[1]
    scope = str(body.get("scope") or body["component"])
    names = ("command_id", "action", "reason", "who")
    fact = OperatorCommandFact(scope=scope, given_ms=1, **{name: body[name] for name in names})
    store = PostgresStore(url)
    try:
        Pen(store, "risk-manager").write(facts=[fact])
    finally:
        store.close()


def _write(store: PostgresStore) -> None:
    bar = BarFact(category="linear", symbol="BTCUSDT", interval="D", start_ms=0, open=Decimal(1), high=Decimal(3),
                  low=Decimal(1), close=Decimal("58420.50"), volume=Decimal(9))  # fmt: skip
    Pen(store, "market-data").write(facts=[bar], outbox=[rows.message("market-data", 1, "trend-1", "intent", BAR, BAR)])
    trend = Pen(store, "trend-1")
    trend.write(
        outbox=[rows.message("trend-1", 1, "order-manager", "intent", "market-data:1", BAR)],
        journal=[
            _note("BTC", "SIGNAL_DETECTED", "ENTRY", "close 58,420.5 above SMA200: entry", "market-data:1", BAR),
            JournalRow(HOUR_MS, "market-data:1", BAR, Remark("ETH", "no_signal", "ADX 17.2", {"adx": Decimal("17.2")})),
            JournalRow(HOUR_MS, "market-data:1", BAR, Remark("ETH", "wait", "network", {}, is_bookkeeping=True)),
        ],
        states=[StateRow("BTC", "IN_POSITION", 1, {"stop": "55000"}), StateRow("portfolio", "SEEN", 1, {})],
        market_ms=HOUR_MS,
    )
    fill = ExecutionFact(
        account="TREND-1",
        execution_id="e-1",
        client_order_id=ENTRY,
        venue_order_id="x-1",
        engine="trend-1",
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal("0.5"),
        price=Decimal("58420.50"),
        fee=Decimal("0.1"),
        fee_coin="USDT",
        is_maker=False,
        realized_pnl=Decimal(0),
        executed_ms=HOUR_MS,
    )
    desk = Pen(store, "order-manager")
    desk.write(
        calls=[ExchangeCallRow(rows.market_order(ENTRY), "trend-1:1", BAR, HOUR_MS)],
        facts=[rows.order(ENTRY, "FILLED", BAR, HOUR_MS), fill],
    )
    trend.write(outbox=[rows.message("trend-1", 2, "order-manager", "intent", FILL, FILL)])
    desk.write(
        calls=[ExchangeCallRow(rows.market_order(STOP), "trend-1:2", FILL, HOUR_MS)],
        facts=[rows.order(STOP, "OPEN", FILL, HOUR_MS + 1), *_money()],
    )
    summary = SummaryFact(day_ms=DAY_MS, completed_ms=2 * DAY_MS, data={"fills": 1})
    days = [performance_day(engine, day) for engine in ("trend-1", "total") for day in range(40)]
    account = {"account": "TREND-1", "equity_usdt": "15000.10", "cash_usdt": "15000.10", "coins": {}, "positions": {}}
    view = PortfolioFact(
        version=1,
        market_ms=HOUR_MS,
        equity_usdt=Decimal("100000.00"),
        data={"accounts": {"TREND-1": account}, "prices": {}},
    )
    Pen(store, "risk-manager").write(facts=[ALERT, summary, view, switch("GLOBAL", "CAUTION"), *days])


def _money() -> list[Any]:
    lines = tuple(
        PostingLine(account="TREND-1", ledger_account=name, coin="USDT", amount=Decimal(amount))
        for name, amount in (("wallet", "0.000000000000000001"), ("trading", "-0.000000000000000001"))
    )
    return [
        PostingFact(posting_id="p", kind="fill", posted_ms=5, description="a fill", lines=lines),
        PositionFact(
            account="TREND-1", symbol="BTCUSDT", quantity=Decimal("-0.5"), average_price=Decimal(5), updated_ms=1
        ),
        TransferFact(
            transfer_id="t", from_account="FUNDING", to_account="TACTICAL", coin="USDT", amount=Decimal("1E+3"),
            purpose="owed", state="DONE", reason="", requested_ms=3, updated_ms=4,
        ),
        DiscrepancyFact(
            discrepancy_id="d", account="TREND-1", kind="balance", subject="USDT", ours="1", theirs="2",
            resolution="booked", found_ms=3,
        ),
    ]  # fmt: skip


def _note(machine: str, source: str, dest: str, reason: str, cause: str, trace: str) -> JournalRow:
    note = JournalEntry(machine, "order", source, dest, reason, {"close": Decimal("58420.5")})
    return JournalRow(HOUR_MS, cause, trace, note)


def performance_day(engine: str, day: int) -> PerformanceFact:
    """A day on which the engine gained one per cent; on the first it had nothing to gain from."""
    return PerformanceFact(
        day_ms=day * DAY_MS,
        engine=engine,
        equity_usdt=Decimal(1_000),
        flow_usdt=Decimal(0),
        day_return=Decimal("0.01") if day else None,
        staked_usdt=Decimal(0),
        turnover_usdt=Decimal(100),
        decided_usdt=Decimal(50),
        slippage_usdt=Decimal("0.05"),
        fees_usdt=Decimal("0.1"),
        funding_usdt=Decimal(1),
        harvest_usdt=Decimal(0),
        earned_usdt=Decimal(0),
        forgone_usdt=Decimal(0),
        policy_version=1,
    )
