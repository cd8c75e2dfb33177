"""One row of the transaction log."""

from __future__ import annotations

from decimal import Decimal

from statemachines.values import Account, Frozen


class TransactionRow(Frozen):
    """A row of the transaction log: a change of one coin of the wallet, with its reason (OR-6).

    `change` = `cash_flow` + `funding` - `fee`; the sign of `funding` is that of the money, `fee` positive is paid. A
    field that cannot be read is None or "", and `problem` says why; `raw` is then the whole row as it came, as it is
    for every row that the execution list does not explain.
    """

    account: Account
    transaction_id: str
    transaction_type: str
    coin: str
    change: Decimal | None
    cash_flow: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    symbol: str = ""
    order_id: str = ""
    trade_id: str = ""
    time_ms: int | None = None
    problem: str = ""
    raw: str = ""

    @property
    def key(self) -> str:
        """The row's natural id: both coins of one conversion may carry one id."""
        return ":".join((self.transaction_id, self.transaction_type, self.coin))
