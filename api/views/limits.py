"""The limits that an operator watches, each with how full it is (RM-1, RM-3, R4): pure, from the policy in force, the
portfolio, the positions and the risk manager's own tracks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from statemachines.messages.accounts import AccountView
from statemachines.portfolio.equity import price_key
from statemachines.portfolio.exposure import total_exposure_usdt
from statemachines.risk.drawdown import Track, fall_from_peak
from statemachines.values import ACCOUNT_OF, SPOT, Account, ActorName

Row = Mapping[str, Any]
ZERO = Decimal(0)
_PLACES = Decimal("0.00000001")


class LimitView(NamedTuple):
    """One limit. `now`, `limit` and `steps` (what happens earlier) in `unit`: fraction of 1, or multiple of equity;
    `part` is how full it is, above 1 beyond it. `is_least`: the value must stay above the limit."""

    name: str
    subject: str
    unit: str
    now: Decimal
    limit: Decimal
    part: Decimal
    steps: tuple[Decimal, ...]
    effect: str
    rule: str
    is_least: bool = False


class Known(NamedTuple):
    """What the limits are measured on. `policy` is the document of the version in force, `tracks` the risk manager's
    by group, `portfolio` and `prices` as the risk manager published them last."""

    policy: Row
    tracks: Mapping[str, Sequence[str]]
    accounts: Mapping[Account, AccountView]
    prices: Mapping[str, Decimal]
    equity_usdt: Decimal
    positions: Sequence[Row]


def limit_views(known: Known) -> list[dict[str, Any]]:
    """All of them, the fullest first."""
    found = [*_drawdowns(known), *_shares(known), *_cash(known), *_leverage(known), *_pairs(known), *_exposure(known)]
    return [one._asdict() for one in sorted(found, key=lambda one: (-one.part, one.name, one.subject))]


def _drawdowns(known: Known) -> Iterator[LimitView]:
    for group, limits in known.policy["risk"]["drawdown"].items():
        track = known.tracks.get(group)
        limit = limits["reduce_only"] or limits["alert"]
        if track is None or limit is None:
            continue
        fall = fall_from_peak(Track(Decimal(track[0]), Decimal(track[1])))
        steps = () if limits["caution"] is None else (Decimal(limits["caution"]),)
        effect = "alert only" if limits["reduce_only"] is None else "REDUCE_ONLY"
        yield _view("drawdown", group, "fraction", fall, Decimal(limit), effect, "RM-3", steps)


def _shares(known: Known) -> Iterator[LimitView]:
    """CH-7, C7: the spot of CORE and TACTICAL together."""
    core = known.policy["engines"]["core_hodl"]
    for coin in core["weights"]:
        price = known.prices.get(price_key(SPOT, f"{coin}USDT"))
        if price is None or not known.equity_usdt:
            continue
        held = sum((view.coins.get(coin, ZERO) for name, view in known.accounts.items() if name in _COIN_HOLDERS), ZERO)
        limit = Decimal(core["max_share"])
        yield _view("share of the portfolio", coin, "fraction", held * price / known.equity_usdt, limit,
                    "CORE-HODL buys no more", "CH-7")  # fmt: skip


def _cash(known: Known) -> Iterator[LimitView]:
    view = known.accounts.get(Account.CORE_HODL)
    least = Decimal(known.policy["engines"]["core_hodl"]["cash_buffer"])
    if view is None or view.equity_usdt <= ZERO:
        return
    now = view.cash_usdt / view.equity_usdt
    part = least / now if now > ZERO else Decimal(9)
    yield LimitView("cash buffer", str(ActorName.CORE_HODL), "fraction", now, least, part, (), "purchases wait", "CH-7",
                    is_least=True)  # fmt: skip


def _leverage(known: Known) -> Iterator[LimitView]:
    for engine, key, rule in _LEVERAGED:
        view = known.accounts.get(ACCOUNT_OF[engine])
        if view is None or view.equity_usdt <= ZERO:
            continue
        own = [one["notional_usdt"] for one in known.positions if one["engine"] == str(engine)]
        if any(notional is None for notional in own):
            continue
        limit = Decimal(known.policy["engines"][key]["max_total_exposure"])
        yield _view("leverage", str(engine), "times equity", sum(own, ZERO) / view.equity_usdt, limit,
                    "the entry is refused", rule)  # fmt: skip


def _pairs(known: Known) -> Iterator[LimitView]:
    """FU-7, F7: the notional of the spot leg, of the engine's equity."""
    view, funding = known.accounts.get(Account.FUNDING), known.policy["engines"]["funding"]
    if view is None or view.equity_usdt <= ZERO:
        return
    for asset in funding["assets"]:
        price = known.prices.get(price_key(SPOT, f"{asset}USDT"))
        if price is not None:
            now = view.coins.get(asset, ZERO) * price / view.equity_usdt
            yield _view("hedged pair", asset, "fraction", now, Decimal(funding["max_share_per_asset"]),
                        "no further entry", "FU-7")  # fmt: skip


def _exposure(known: Known) -> Iterator[LimitView]:
    if known.equity_usdt > ZERO:
        now = abs(total_exposure_usdt(known.accounts, known.prices)) / known.equity_usdt
        limit = Decimal(known.policy["risk"]["max_exposure_of_portfolio"])
        yield _view("net exposure", "all accounts", "fraction", now, limit, "an entry of TREND is refused", "R4")


def _view(
    name: str,
    subject: str,
    unit: str,
    now: Decimal,
    limit: Decimal,
    effect: str,
    rule: str,
    steps: tuple[Decimal, ...] = (),
) -> LimitView:
    now = now.quantize(_PLACES)
    return LimitView(name, subject, unit, now, limit, (now / limit).quantize(_PLACES), steps, effect, rule)


_COIN_HOLDERS = (Account.CORE_HODL, Account.TACTICAL)
_LEVERAGED = (
    (ActorName.TREND_1, "trend_1", "TR-9"),
    (ActorName.TREND_2, "trend_2", "TR-9"),
    (ActorName.FUNDING, "funding", "RM-1"),
)
