"""The instruments that a public request is about."""

from __future__ import annotations

from infra.simulator.api.context import Context
from infra.simulator.venue.instruments import Instrument

CATEGORIES = ("spot", "linear", "inverse", "option")


def asked_symbol(ctx: Context, *categories: str, default: str | None = None) -> Instrument:
    """The one instrument of parameters `category` and `symbol`; ``VenueError`` for any other."""
    category = ctx.params.category(*categories, default=default)
    return ctx.venue.tradable(category, ctx.params.required("symbol"))


def asked_symbols(ctx: Context, category: str) -> list[Instrument]:
    """The instruments of a category that `symbol` or `baseCoin` leave; none in inverse and option."""
    wanted, base = ctx.params.text("symbol"), ctx.params.text("baseCoin")
    if wanted:
        return [ctx.venue.tradable(category, wanted)] if category in ("spot", "linear") else []
    return [spec for spec in ctx.venue.listed() if spec.category == category and (not base or spec.base == base)]
