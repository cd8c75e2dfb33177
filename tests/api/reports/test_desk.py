"""IF-4: a report is made of real rows, handed over once, and again until that is committed."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from api.reports.desk import ReportDesk, Rules
from api.reports.facts import gather
from api.service import OperatorService
from api.snapshot import SnapshotCache
from infra.database.queries import Queries
from infra.database.store import PostgresStore
from statemachines.facts import PerformanceFact, TransferFact
from statemachines.notifications.report import Report
from statemachines.performance.tracker import TOTAL
from statemachines.reports.schedule import Due, Period, ReportKind
from statemachines.values import DAY_MS
from tests.api.test_http import STATUS
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit.rows import Pen

FIRST = datetime(2026, 11, 20, tzinfo=UTC)
RULES = Rules((ReportKind.DAILY, ReportKind.MONTHLY), time(8), ZoneInfo("UTC"), is_wall_time=True, profile="live")


def close(url: str, days: int) -> None:
    """Records of so many market days since the first."""
    facts = [
        PerformanceFact(
            day_ms=int(FIRST.timestamp() * 1000) + number * DAY_MS,
            engine=engine,
            equity_usdt=Decimal(100 + number),
            flow_usdt=Decimal(0),
            day_return=None if number == 0 else Decimal("0.01"),
            staked_usdt=Decimal(0),
            turnover_usdt=Decimal(0),
            decided_usdt=Decimal(0),
            slippage_usdt=Decimal(0),
            fees_usdt=Decimal(0),
            funding_usdt=Decimal(0),
            harvest_usdt=Decimal(0),
            earned_usdt=Decimal(0),
            forgone_usdt=Decimal(0),
        )
        for number in range(days)
        for engine in ("trend-1", TOTAL)
    ]
    store = PostgresStore(url)
    try:
        Pen(store, "risk-manager").write(facts=facts)
    finally:
        store.close()


def test_a_report_is_handed_over_once_and_until_it_is_committed(database_url: str) -> None:  # noqa: F811
    made: list[tuple[str, datetime]] = []
    handed: list[Report] = []
    is_down = True
    now = FIRST

    def hand_over(report: Report) -> None:
        if is_down:
            raise ConnectionError("the notifier is not there")
        handed.append(report)
        made.append((report.key, now))

    service = OperatorService(Queries(database_url), SnapshotCache(lambda: STATUS), lambda: "test market", False)
    desk = ReportDesk(service, RULES, lambda: made, hand_over, lambda: now)
    assert desk.look() == [], "nothing has closed yet"
    close(database_url, 3)
    now = FIRST + timedelta(days=3, hours=8)
    assert desk.look() == [] and desk.look() == []
    is_down = False
    assert desk.look() == ["daily:2026-11-22"]
    assert desk.look() == []
    desk.stop()
    desk = ReportDesk(service, RULES, lambda: made, hand_over, lambda: now)  # a restart
    assert desk.look() == []
    service.close()
    (report,) = handed
    assert report.title.startswith("Daily report · 22 November 2026: equity 102.00 USDT (+1.00 %)")
    assert report.market_ms == int((FIRST + timedelta(days=3)).timestamp() * 1000)
    assert report.html is not None and "TREND-1" in report.html and "102.00" in report.text
    assert "−" not in report.title


def test_a_database_that_is_away_is_waited_for() -> None:
    service = OperatorService(
        Queries("postgresql://nobody@127.0.0.1:1/none"), SnapshotCache(lambda: STATUS), lambda: "", True
    )
    desk = ReportDesk(service, RULES, list, lambda _: None)
    assert desk.look() == []
    service.close()


def test_the_moves_are_those_of_the_days_flows(database_url: str) -> None:  # noqa: F811
    """A judge: a table showed flows of thousands beside "no moves of capital"; capital that moves at a close is a flow
    of the day that begins there."""
    close(database_url, 3)
    start_ms = int(FIRST.timestamp() * 1000)
    store = PostgresStore(database_url)
    moves = [
        TransferFact(
            transfer_id=f"t{day}", from_account="CORE-HODL", to_account="TREND-1", coin="USDT", amount=Decimal(10),
            purpose="OR-2", state="DONE", reason="", requested_ms=start_ms + day * DAY_MS,
            updated_ms=start_ms + day * DAY_MS,
        )
        for day in (1, 2, 3)
    ]  # fmt: skip
    Pen(store, "order-manager").write(facts=moves)
    store.close()
    service = OperatorService(Queries(database_url), SnapshotCache(lambda: STATUS), lambda: "synthetic", True)
    second = Due(Period(ReportKind.DAILY, date(2026, 11, 22), date(2026, 11, 22)), is_late=False)
    found = asyncio.run(gather(service, second, FIRST, "UTC", "paper", None))
    service.close()
    assert [row["transfer_id"] for row in found.moves.rows] == ["t2"]


def test_a_month_is_reported_once_at_its_end_and_late_after_a_downtime_across_one(database_url: str) -> None:  # noqa: F811
    """The monthly report of a system that began in its middle; then one of a month whose end the system slept through,
    each once, with the daily ones."""
    made: list[tuple[str, datetime]] = []
    handed: list[Report] = []
    now = FIRST

    def hand_over(report: Report) -> None:
        handed.append(report)
        made.append((report.key, now))

    def begun() -> ReportDesk:
        return ReportDesk(service, RULES, lambda: made, hand_over, lambda: now)

    service = OperatorService(Queries(database_url), SnapshotCache(lambda: STATUS), lambda: "", False)
    close(database_url, 10)  # to 29 November
    now = datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert begun().look() == ["daily:2026-11-29"], "the month is not over"
    close(database_url, 11)
    now = datetime(2026, 12, 1, 7, 59, tzinfo=UTC)
    desk = begun()
    assert desk.look() == ["monthly:2026-11"], "the first one of its kind waits for no time of day"
    now = datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert desk.look() == ["daily:2026-11-30"] and desk.look() == [] and begun().look() == []
    close(database_url, 43)  # to 1 January: the system was away from 1 December on, its days were recorded afterwards
    now = datetime(2027, 1, 2, 9, 30, tzinfo=UTC)
    assert begun().look() == [
        "daily:2026-12-01..2026-12-29", "daily:2026-12-30", "daily:2026-12-31", "daily:2027-01-01", "monthly:2026-12",
    ]  # fmt: skip
    assert begun().look() == []
    service.close()
    first, december = (next(one for one in handed if one.key == f"monthly:{month}") for month in ("2026-11", "2026-12"))
    assert first.title == ("Monthly report · November 2026: equity 110.00 USDT (+10.46 % since 20 November 2026)")
    assert "The system began on 20 November 2026" in first.text and "late" not in first.title
    assert december.title.startswith("Monthly report · December 2026: equity 141.00 USDT (+36.13 %)")
    assert december.title.endswith("late") and "have no record" not in december.text
