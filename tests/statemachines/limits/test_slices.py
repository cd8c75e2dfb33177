"""EX-8, X4: the size of a slice, and the volume that it depends on."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.limits.slices import SHARE_OF_VOLUME, slice_of, venue_maximum
from statemachines.portfolio.volumes import HOURS, HourlyVolumes
from statemachines.values import HOUR_MS
from tests.kit import builders

D = Decimal
PRICE = D(50_000)
ONE = builders.instrument("linear", "BTCUSDT", max_market_qty=D(500), max_limit_qty=D(1190))


def piece(quantity: str, volume: str | None, *, is_maker: bool = False) -> Decimal | None:
    return slice_of(D(quantity), PRICE, is_maker, None if volume is None else D(volume), ONE)


@pytest.mark.parametrize(
    ("quantity", "volume", "is_maker", "expected"),
    [
        ("500", None, False, None),
        ("500.001", None, False, "250.001"),
        ("1190", None, True, None),
        ("10", "1000", False, None),
        ("10.001", "1000", False, "5.001"),
        ("100", "1000", True, "10"),
        ("5000", "1000000", False, "500"),
        ("1", "0.000001", False, "0.001"),
    ],
)
def test_an_order_above_the_venues_maximum_or_one_per_cent_of_the_volume_is_sliced(
    quantity: str, volume: str | None, is_maker: bool, expected: str | None
) -> None:
    assert piece(quantity, volume, is_maker=is_maker) == (None if expected is None else D(expected))


@given(
    st.decimals(min_value="0.001", max_value=100_000, places=3),
    st.none() | st.decimals(min_value="0.001", max_value=1_000_000, places=3),
    st.booleans(),
)
def test_slices_are_whole_lots_within_both_limits_and_leave_no_remainder_below_the_minimum(
    quantity: Decimal, volume: Decimal | None, is_maker: bool
) -> None:
    found = slice_of(quantity, PRICE, is_maker, volume, ONE)
    most = venue_maximum(ONE, is_maker)
    assert most is not None
    if found is None:
        assert quantity <= most and (volume is None or quantity <= max(volume * SHARE_OF_VOLUME, D("0.001")))
        return
    assert found % ONE.qty_step == 0 and ONE.min_qty <= found <= min(most, quantity)
    assert volume is None or found <= max(volume * SHARE_OF_VOLUME, D("0.001"))
    assert found * ((quantity / found).to_integral_value(rounding="ROUND_CEILING")) >= quantity


def test_a_maximum_below_a_lot_is_no_limit_of_slices() -> None:
    """It permits no order at all, which the filters' own check refuses; here it would divide by zero."""
    assert slice_of(D(1), PRICE, False, None, ONE.model_copy(update={"max_market_qty": D("1E-9")})) is None


def hours(*volumes: str, first: int = 0) -> list[object]:
    return [
        builders.bar("linear", "BTCUSDT", (first + hour) * HOUR_MS, "100", "60", volume=volume)
        for hour, volume in enumerate(volumes)
    ]


def test_v_is_the_mean_of_the_last_24_closed_hours_whatever_their_order_and_repetition() -> None:
    volumes = HourlyVolumes()
    bars = hours(*(str(number) for number in range(1, 31)))
    for bar in (*reversed(bars), *bars):
        volumes.take([bar])  # type: ignore[list-item]
    assert volumes.mean("linear", "BTCUSDT") == sum(range(7, 31)) / D(HOURS)
    assert volumes.mean("spot", "BTCUSDT") is None


def test_without_any_volume_v_is_unknown() -> None:
    volumes = HourlyVolumes()
    volumes.take(hours("0", "0"))  # type: ignore[arg-type]
    assert volumes.mean("linear", "BTCUSDT") is None
    volumes.take([builders.bar("linear", "BTCUSDT", 0, "100", "D", volume="24")])
    assert volumes.mean("linear", "BTCUSDT") is None, "a daily bar is no hour"
