"""The figures of a run, read from what its report has left beside the page; nothing is computed a second time."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from api.backtests.models import BacktestDetail, BacktestFinding, Benchmark, CurvePoint, EngineFigures, KeyFigures
from infra.files import stamp_of

TOTAL = "TOTAL"
BENCHMARKS = ("BTC-hold", "60/40 BTC/ETH-hold")
BTC_HELD = BENCHMARKS[0]
MAX_POINTS = 600
LONGEST_SUMMARY = 16 << 20
CACHED = 64


class UnreadableFiguresError(Exception):
    """The figures of a run are missing or cannot be read; the text says why."""


class FiguresReader:
    """Reads figures, and reads a run's file again only when it has changed. Safe for several threads: what two of them
    read at once is the same."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[object, KeyFigures | None]] = {}

    def key_figures(self, report: Path) -> KeyFigures | None:
        """Of the report in this folder; None where there is none, or none that can be read."""
        path = report / "summary.json"
        stamp = stamp_of(path) if (report / "report.html").exists() else None
        if stamp is None:
            return None
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            found = key_figures_of(summary_of(report))
        except UnreadableFiguresError:
            found = None
        if len(self._known) >= CACHED:
            self._known.clear()
        self._known[path] = (stamp, found)
        return found


def summary_of(report: Path) -> dict[str, Any]:
    """The summary. Raises UnreadableFiguresError."""
    path = report / "summary.json"
    try:
        if path.stat().st_size > LONGEST_SUMMARY:
            raise UnreadableFiguresError(f"summary.json is longer than {LONGEST_SUMMARY:,} bytes.")
        found = json.loads(path.read_bytes())
        json.dumps(found, ensure_ascii=False).encode()  # half a character pair
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFiguresError(f"summary.json of the report cannot be read: {type(error).__name__}.") from None
    if not isinstance(found, dict):
        raise UnreadableFiguresError("summary.json of the report is no object.")
    return found


def key_figures_of(summary: Mapping[str, Any]) -> KeyFigures:
    """The figures that matter most. Raises UnreadableFiguresError."""
    try:
        facts, performance, book = summary["facts"], summary["performance"].get(TOTAL, {}), summary["books"][TOTAL]
        return KeyFigures(
            from_ms=facts["from_ms"],
            ended_ms=facts["ended_ms"],
            is_complete=facts["is_complete"],
            days=performance.get("days", 0),
            capital_usdt=_usdt(facts["capital_usdt"]),
            end_equity_usdt=_usdt(book["end_usdt"]),
            profit_usdt=_usdt(book["profit_usdt"]),
            total_return=_number(performance.get("total_return")),
            annual_return=_number(performance.get("cagr")),
            worst_drawdown=_worst(performance),
            sharpe=_number(performance.get("sharpe")),
            volatility=_number(performance.get("volatility")),
            trades=sum(_closed(summary).values()),
            fills=book["fills"],
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableFiguresError(f"summary.json of the report lacks what is required: {error!r:.100}.") from None


def detail_of(run_id: str, report: Path) -> BacktestDetail:
    """All figures of a run. Raises UnreadableFiguresError."""
    summary = summary_of(report)
    figures = key_figures_of(summary)
    try:
        facts, performance, closed = summary["facts"], summary["performance"], _closed(summary)
        engines = [
            _engine(name, performance.get(name, {}), book, closed.get(name, 0))
            for name, book in summary["books"].items()
            if name != TOTAL
        ]
        return BacktestDetail(
            run_id=run_id,
            figures=figures,
            engines=engines,
            benchmarks=[
                Benchmark(
                    name=name,
                    total_return=_number(performance[name]["total_return"]),
                    annual_return=_number(performance[name]["cagr"]),
                    worst_drawdown=_worst(performance[name]),
                    sharpe=_number(performance[name]["sharpe"]),
                )
                for name in BENCHMARKS
                if name in performance
            ],
            findings=[BacktestFinding(weight=one["weight"], text=one["text"]) for one in summary["findings"]],
            missing_inputs=list(facts["missing_inputs"]),
            paid_in_usdt=_usdt(facts["paid_in_usdt"]),
            market=facts["market"],
            is_synthetic=facts["is_synthetic"],
            version=facts["version"],
            commit=facts["commit"],
            data_hash=facts["data_hash"],
            curve=thinned(list(_curve(report))),
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableFiguresError(f"The tables of the report cannot be read: {error!r:.100}.") from None


def _engine(name: str, performance: Mapping[str, Any], book: Mapping[str, Any], closed: int) -> EngineFigures:
    return EngineFigures(
        engine=name,
        profit_usdt=_usdt(book["profit_usdt"]),
        total_return=_number(performance.get("total_return")),
        worst_drawdown=_worst(performance),
        sharpe=_number(performance.get("sharpe")),
        trades=closed,
        fees_usdt=_usdt(book["fee_usdt"]),
        slippage_usdt=_usdt(book["slippage_usdt"]),
        funding_usdt=_usdt(book["funding_received_usdt"] - book["funding_paid_usdt"]),
    )


def _closed(summary: Mapping[str, Any]) -> dict[str, int]:
    """Round trips that were closed, by engine: the line `all` of each counts the others."""
    return {one["engine"]: one["closed"] for one in summary["trades"] if one["label"] == "all"}


def _curve(report: Path) -> Iterator[CurvePoint]:
    """The closes of the days: the first is the start, each further one the end of the day of a return."""
    with (report / "equity.csv").open(encoding="utf-8", newline="") as file:
        equity = [(_ms(row["ts"]), float(row["equity_usdt"])) for row in csv.DictReader(file) if row["engine"] == TOTAL]
    with (report / "returns.csv").open(encoding="utf-8", newline="") as file:
        returns = [(row[TOTAL], row[BTC_HELD]) for row in csv.DictReader(file)]
    growth, btc = 1.0, 1.0
    for index, (at_ms, usdt) in enumerate(equity[: len(returns) + 1]):
        has_btc = bool(returns) and bool(returns[max(index - 1, 0)][1])
        if index:
            own, held = returns[index - 1]
            growth *= 1 + float(own or 0.0)
            btc *= 1 + float(held or 0.0)
        yield CurvePoint(at_ms=at_ms, equity_usdt=_usdt(usdt), growth=growth, btc_growth=btc if has_btc else None)


def thinned(points: Sequence[CurvePoint], most: int = MAX_POINTS) -> list[CurvePoint]:
    """At most so many points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(at * (len(points) - 1) / (most - 1))] for at in range(most)]


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def _worst(performance: Mapping[str, Any]) -> float | None:
    worst = performance.get("worst", {})
    return 0.0 if worst is None else _number(worst.get("depth"))


def _number(value: Any) -> float | None:
    """JSON has no infinity; a figure that is none is unknown."""
    return float(value) if value is not None and math.isfinite(value) else None


def _usdt(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no amount")
    return f"{value:.2f}" if round(value, 2) else "0.00"
