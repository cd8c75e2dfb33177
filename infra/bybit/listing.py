"""Whether the exchange lists a symbol: decided by an unambiguous code, or by its own list, never by words of a text."""

from __future__ import annotations

from collections.abc import Mapping

from infra.bybit.caller import Caller, at_cursor
from infra.bybit.errors import GatewayError, is_symbol_unknown
from infra.bybit.parsing.fields import UnparsableError
from statemachines.values import Account, Category

BAD_PARAMETER = 10001
"""Any parameter that the exchange does not like, an unknown symbol among them."""

INSTRUMENTS_A_PAGE = 1000


def is_unlisted(caller: Caller, account: Account, category: Category, symbol: str, error: GatewayError) -> bool:
    """Whether a refused question about a symbol means that there is no such symbol (yet): an answer, not a failure.

    Code 10001 alone does not say which parameter it was, so the list of all instruments is read.

    Raises GatewayError and UnparsableError: the list cannot be read, so that it is not known.
    """
    if is_symbol_unknown(error):
        return True
    if error.code != BAD_PARAMETER or error.http_status:
        return False
    rows = caller.pages(
        account,
        "instruments",
        lambda s, at: s.get_instruments_info(category=category, limit=INSTRUMENTS_A_PAGE, **at_cursor(at)),
        category,
    )
    symbols = [row.get("symbol") for row in rows if isinstance(row, Mapping)]
    listed = {name for name in symbols if isinstance(name, str) and name}
    if rows and not listed:
        raise UnparsableError(f"list of {category} instruments: it names no symbol, so {symbol} may be listed or not.")
    return symbol not in listed
