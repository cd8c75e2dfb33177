"""How far price gaps that hold together may move a price: what no market does would break the exchange's arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from infra.simulator.faults.catalogue import ALL, Fault, PriceGap
from infra.simulator.faults.reading import FaultError, shown

LARGEST = 1_000
"""Prices stay within 1/1,000 and 1,000 times those of the market."""

T = TypeVar("T")


def check_gaps(fault: Fault, holding: Iterable[Fault]) -> None:
    """Raises ``FaultError`` when a price gap beside those that hold would move prices too far. Gaps up and gaps down
    are counted apart: whichever of them end first, what is left stays within the bounds."""
    if not isinstance(fault, PriceGap):
        return
    gaps = [fault, *(one for one in holding if isinstance(one, PriceGap))]
    symbols = {one.symbol for one in gaps} if fault.symbol == ALL else {fault.symbol}
    for symbol in sorted(symbols):
        up = down = Decimal(1)
        for one in gaps:
            if one.symbol in (ALL, symbol):
                up *= max(1 + one.change, Decimal(1))
                down *= min(1 + one.change, Decimal(1))
        if up > LARGEST or down * LARGEST < 1:
            coins = "all coins" if symbol == ALL else shown(symbol)
            raise FaultError(
                f"change is {fault.change}; with the price gaps that hold already, prices of {coins} would be moved by "
                f"the factor {up if up > LARGEST else down:.3g}; gaps that hold together may move them up to "
                f"{LARGEST:,} times and down to 1/{LARGEST:,}."
            )


def check_gaps_over_time(occurrences: Sequence[tuple[int, int | None, T, Fault]]) -> None:
    """``check_gaps`` for (begin, end, name, fault) in order of the begin. Raises ``FaultError`` with the name."""
    holding: list[tuple[int | None, Fault]] = []
    for begin_ms, end_ms, name, fault in occurrences:
        if not isinstance(fault, PriceGap):
            continue
        holding = [(until_ms, one) for until_ms, one in holding if until_ms is None or until_ms > begin_ms]
        try:
            check_gaps(fault, (one for _, one in holding))
        except FaultError as error:
            raise FaultError(f"step {name}: {error}") from None
        holding.append((end_ms, fault))
