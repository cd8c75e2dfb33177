"""Money as an operator may read it: portfolio, positions, results, ledger (OR-6, P4, RM-3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from api.json_values import plain
from api.overview import portfolio_view
from api.views.arguments import one_of, span_of
from api.views.limits import Known, limit_views
from api.views.lists import ENGINE_NAMES, NEWEST, OPEN_STATES, tracks_of
from api.views.paging import page_of
from api.views.positions import Mark, position_views
from api.views.reading import PageRequest, Reading, Row, place_of
from api.views.results import BASE_MS, PERIODS, by_period
from infra.database.reading import money, paging
from statemachines.facts import PostingFact
from statemachines.messages.accounts import AccountView
from statemachines.performance.tracker import TOTAL
from statemachines.values import HOUR_MS, HOURLY, Account

RECORDED = ENGINE_NAMES | {TOTAL}
"""Whose performance is on record."""

POSTING_KINDS = frozenset(PostingFact.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]


class Money:
    """Raises BadValueError and DatabaseAwayError (all methods)."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._queries = reading.queries

    async def portfolio(self) -> Row:
        """The newest portfolio with equity per engine; `version` is None before the first one."""
        found: Row = plain(portfolio_view(await self._reading.read(self._queries.portfolio)))
        return found

    async def positions(self) -> list[Row]:
        """Derivative positions that are not flat, with mark, unrealised profit, stop, liquidation and margin; by the
        newest closed price, which may be younger than the portfolio."""
        return await self._reading.rows(lambda: self._positions(self._newest()))

    def positions_now(self) -> list[Row]:
        """The same at the portfolio's prices; blocks, and raises QueryUnavailableError."""
        return self._positions({})

    def _newest(self) -> Mapping[str, Mark]:
        rows = self._queries.rows(money.NEWEST_PRICES, interval=HOURLY)
        return {row["symbol"]: Mark(row["close"], row["start_ms"] + HOUR_MS) for row in rows}

    def _positions(self, newest: Mapping[str, Mark]) -> list[Row]:
        return position_views(
            self._queries.positions(),
            self._queries.portfolio(),
            self._queries.rows(money.STOPS, states=list(OPEN_STATES)),
            self._queries.rows(money.INSTRUMENTS),
            newest,
        )

    async def limits(self) -> list[Row]:
        """The limits with how full they are; empty before the first portfolio, and while no policy is recorded."""
        return await self._reading.rows(self._limits)

    def _limits(self) -> list[Row]:
        portfolio, policy = self._queries.portfolio(), self._queries.policies()["policy"]
        if portfolio is None or not policy:
            return []
        data = portfolio["data"]
        known = Known(
            policy,
            tracks_of(self._queries),
            {Account(name): AccountView.model_validate(one) for name, one in data["accounts"].items()},
            {key: Decimal(price) for key, price in data["prices"].items()},
            portfolio["equity_usdt"],
            self.positions_now(),
        )
        return limit_views(known)

    async def pnl(
        self, engine: str | None = None, period: str = "month", since: str | None = None, until: str | None = None
    ) -> list[Row]:
        """What every engine and the whole gained and paid, by period, newest first."""
        one_of("engine", engine, RECORDED)
        one_of("period", period, frozenset(PERIODS))
        span = span_of(since, until)
        return await self._reading.rows(
            lambda: by_period(
                self._queries.rows(money.DAYS, engine=engine, from_ms=span.from_ms - BASE_MS, to_ms=span.to_ms),
                self._queries.rows(money.REALISED, engine=engine, from_ms=span.from_ms, to_ms=span.to_ms),
                period,
                span.from_ms,
                {row["engine"]: row["day_ms"] for row in self._queries.rows(money.FIRST_DAYS)},
            )
        )

    async def ledger(self, account: str | None = None, kind: str | None = None, asked: PageRequest = NEWEST) -> Row:
        """Trial balance, the balance of every ledger account, and the newest postings."""
        one_of("account", account, frozenset(Account))
        one_of("kind", kind, POSTING_KINDS)
        place = place_of(paging.POSTINGS, asked)
        found: Row = plain(
            await self._reading.read(
                lambda: {
                    "trial_balance": self._queries.trial_balance(),
                    "balances": self._queries.ledger_balances(account),
                    "postings": page_of(
                        self._queries.postings(kind, place.start, place.rows + 1, place.span),
                        place.rows,
                        paging.POSTINGS,
                    ),
                }
            )
        )
        return found

    async def equity(self, engine: str | None = None, asked: PageRequest = NEWEST) -> Row:
        """Equity, flows and return of every engine and of the whole, by day (P4)."""
        one_of("engine", engine, RECORDED)
        return await self._reading.page(
            paging.PERFORMANCE, asked, lambda start, size, span: self._queries.performance(engine, start, size, span)
        )

    async def performance(self) -> list[Row]:
        """The rolling figures of every engine and of the whole (P4)."""
        from infra.rolling import by_policy, rolling  # numpy: only who asks needs it

        rows = await self._reading.read(self._queries.all_performance)
        of = {name: [row for row in rows if row["engine"] == name] for name in sorted({row["engine"] for row in rows})}
        found: list[Row] = plain(
            [{"engine": name, "windows": rolling(own), "policies": by_policy(own)} for name, own in of.items()]
        )
        return found
