"""`eternal orders | fills | positions | decisions`."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer
from rich.text import Text

from api.cli.asking.options import Before, EngineName, Json, Limit, Since, SymbolName, Until, asking
from api.cli.asking.output import (
    MARKET_TIME,
    UNKNOWN,
    Column,
    amount,
    console,
    exact,
    indented,
    instant,
    numbers,
    percent,
    print_json,
    print_list,
)
from api.cli.asking.way import Way
from api.client import models
from api.wording.holdings import QUOTE, Holding, holdings_of
from api.wording.values import readable

PRICE_PLACES = 4
"""Of an average over several fills, which has as many digits as the division gives; `--json` has them all."""

ORDER_COLUMNS = (
    Column("Created", is_whole=True), Column("Engine"), Column("Symbol"), Column("Side"), Column("Quantity", True),
    Column("Filled", True, True), Column("Type", is_wide=True), Column("Price", True), Column("State"), Column("Order"),
)  # fmt: skip
FILL_COLUMNS = (
    Column("Executed", is_whole=True), Column("Engine", is_wide=True), Column("Symbol"), Column("Side"),
    Column("Quantity", True), Column("Price", True), Column("Fee", True), Column("Realised USDT", True, True),
    Column("Maker", is_wide=True),
    Column("Order"),
)  # fmt: skip
POSITION_COLUMNS = (
    Column("Engine"), Column("Symbol"), Column("Quantity", True), Column("Average", True), Column("Mark", True),
    Column("P&L USDT", True), Column("Stop", True), Column("To stop", True, True),
    Column("To liquidation", True), Column("Notional USDT", True, True), Column("Margin USDT", True, True),
)  # fmt: skip

HOLDING_COLUMNS = (
    Column("Account"), Column("Coin"), Column("Amount", True), Column("Price USDT", True), Column("Value USDT", True),
)  # fmt: skip


@asking
def orders(
    way: Way,
    *,
    engine: EngineName = None,
    state: Annotated[str | None, typer.Option(help="a state of EX-1, e.g. FILLED, or OPEN_ANY; all without it")] = None,
    symbol: SymbolName = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """Orders, newest first; `eternal why ORDER` says why one exists."""
    page = way.operations.orders(
        before=before,
        limit=limit,
        from_=since,
        to=until,
        engine=cast(Any, engine),  # the interface judges it, and names what is allowed
        state=cast(Any, None if state is None else state.upper().replace("-", "_")),
        symbol=None if symbol is None else symbol.upper(),
    )
    if as_json:
        print_json(page)
        return
    print_list("Orders, newest first", ORDER_COLUMNS, [order_cells(one) for one in page["rows"]], page["next"])


def order_cells(one: models.Order) -> list[str | Text]:
    """A row of `ORDER_COLUMNS`."""
    price = one["average_price"] or one["price"] or one["trigger_price"]
    return [
        instant(one["created_ms"]), one["engine"], one["symbol"], one["side"], exact(one["quantity"]),
        exact(one["filled_quantity"]), one["order_type"], exact(price, PRICE_PLACES), one["state"],
        one["client_order_id"],
    ]  # fmt: skip


@asking
def fills(
    way: Way,
    *,
    engine: EngineName = None,
    order: Annotated[str | None, typer.Option(help="client id of an order; all without it")] = None,
    symbol: SymbolName = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """Fills as the exchange reported them, newest first."""
    page = way.operations.executions(
        before=before,
        limit=limit,
        from_=since,
        to=until,
        engine=cast(Any, engine),
        client_order_id=order,
        symbol=None if symbol is None else symbol.upper(),
    )
    if as_json:
        print_json(page)
        return
    print_list("Fills, newest first", FILL_COLUMNS, [fill_cells(one) for one in page["rows"]], page["next"])


def fill_cells(one: models.Execution) -> list[str | Text]:
    """A row of `FILL_COLUMNS`."""
    return [
        instant(one["executed_ms"]), one["engine"], one["symbol"], one["side"], exact(one["quantity"]),
        exact(one["price"]), f"{exact(one['fee'], 8)} {one['fee_coin']}", amount(one["realized_pnl"]),
        "yes" if one["is_maker"] else "no", one["client_order_id"],
    ]  # fmt: skip


@asking
def positions(way: Way, *, as_json: Json = False) -> None:
    """What is held: coins and cash of every account, and derivative positions with profit at the mark, stop and
    distance to liquidation."""
    derivatives, portfolio = way.operations.positions(), way.operations.portfolio()
    held = holdings_of(portfolio)
    if as_json:
        holdings = [
            {name: None if value is None else str(value) for name, value in one._asdict().items()} for one in held
        ]
        print_json({"positions": derivatives, "holdings": holdings, "market_ms": portfolio["market_ms"]})
        return
    at = "" if portfolio["market_ms"] is None else f" at the prices of {instant(portfolio['market_ms'])}"
    print_list(f"Coins and cash{at}", HOLDING_COLUMNS, [holding_cells(one) for one in held])
    console().print()
    rows = [position_cells(one) for one in derivatives]
    print_list("Derivative positions, short ones negative", POSITION_COLUMNS, rows)


def holding_cells(one: Holding) -> list[str | Text]:
    """A row of `HOLDING_COLUMNS`; cash is its own value."""
    amounts = amount(str(one.amount)) if one.coin == QUOTE else exact(str(one.amount), 8)
    price = None if one.price is None else str(one.price)
    value = None if one.value_usdt is None else str(one.value_usdt)
    return [one.account, one.coin, amounts, exact(price, PRICE_PLACES), amount(value)]


def position_cells(one: models.Position) -> list[str | Text]:
    """A row of `POSITION_COLUMNS`."""
    profit = one["unrealised_pnl_usdt"]
    style = "" if profit is None else "red" if profit.startswith("-") else "green"
    liquidation = one["liquidation_price"]
    never = liquidation is not None and not float(liquidation)
    return [
        one["engine"], one["symbol"], exact(one["quantity"]), exact(one["average_price"], PRICE_PLACES),
        exact(one["mark_price"]),
        Text(amount(profit), style), exact(one["stop_price"]), percent(one["stop_distance"]),
        "never" if never else percent(one["liquidation_distance"]), amount(one["notional_usdt"]),
        amount(one["maintenance_margin_usdt"]),
    ]  # fmt: skip


@asking
def decisions(
    way: Way,
    *,
    actor: Annotated[
        str | None, typer.Option("--actor", "--engine", help="an actor, e.g. trend-1; all without it")
    ] = None,
    machine: Annotated[str | None, typer.Option(help="a machine's key or a remark's subject, e.g. BTC")] = None,
    text: Annotated[str | None, typer.Option(help="a part of the reason; case does not count")] = None,
    trace: Annotated[str | None, typer.Option(help="all that one bar or settlement led to")] = None,
    only_engines: Annotated[bool, typer.Option("--engines", help="those of the engines alone")] = False,
    with_numbers: Annotated[bool, typer.Option("--numbers", help="with the numbers that led to each")] = False,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """What the actors decided and why, newest first."""
    page = way.operations.decisions(
        before=before,
        limit=limit,
        from_=since,
        to=until,
        actor=cast(Any, actor),
        group="engines" if only_engines else None,
        machine=machine,
        text=text,
        trace=trace,
    )
    if as_json:
        print_json(page)
        return
    print_decisions("Decisions, newest first", page["rows"], page["next"], with_numbers=with_numbers)


def print_decisions(
    title: str, rows: list[models.Decision], following: str | None, *, with_numbers: bool = False
) -> None:
    """Each on lines of its own: a reason is longer than a column."""
    out = console()
    if not rows:
        out.print(f"{title}: none.")
        return
    out.print(Text(f"{title}; {MARKET_TIME}", "dim"))
    for one in rows:
        out.print(Text.assemble(f"{instant(one['market_ms'])}  ", (f"{one['actor']} {one['machine']}", "bold"),
                                f"  {step_of(one['trigger'], one['source'], one['dest'])}"))  # fmt: skip
        out.print(indented(readable(one["reason"]) or UNKNOWN))
        if with_numbers:
            out.print(indented(f"{numbers(one['data'])}\ntrace {one['trace']}".strip(), "dim"))
    if following is not None:
        out.print(Text(f"There are older ones: --before {following}", "dim"), soft_wrap=True)


def step_of(trigger: str, source: str, dest: str) -> str:
    """A change of state; of a remark its trigger."""
    return trigger if source == dest else f"{source} → {dest}"
