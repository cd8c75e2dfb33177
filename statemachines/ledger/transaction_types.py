"""Every type of a row of the unified account's transaction log, once: what it is in the double-entry ledger (OR-6).

The names are those of Bybit's list of types (V5, "type(uta-translog)"), its misspellings included. A type that is not
here is not guessed: its rows are booked to suspense with an alert.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from statemachines.facts import PostingKind
from statemachines.ledger import postings


class BookedBy(StrEnum):
    """Which record of the exchange moves the ledger for rows of a type; each movement is booked once."""

    EXECUTION = "execution"
    """The execution stream and list (EX-2); the row of the log only confirms it."""
    TRANSFER = "transfer"
    """Our own transfer's confirmation; a row that belongs to none of them came from or went to outside."""
    LOG = "log"
    """The row of the transaction log itself."""


class Effect(StrEnum):
    """What a movement is to results (RULINGS F11)."""

    RESULT = "result"
    """Income or expense: part of profit and loss."""
    FLOW = "flow"
    """Money that comes, goes or changes its place: no profit and no loss."""


class Sign(StrEnum):
    """The sign that a row's change can have; a row with the other one is booked to suspense."""

    IN = "+"
    OUT = "-"
    ANY = "±"


class TransactionType(NamedTuple):
    """`ledger_account` is the counter-account of the wallet, `kind` the posting's."""

    booked_by: BookedBy
    ledger_account: str
    kind: PostingKind
    effect: Effect
    sign: Sign


_EXECUTION = TransactionType(BookedBy.EXECUTION, postings.TRADING, "fill", Effect.RESULT, Sign.ANY)
_FUNDING = TransactionType(BookedBy.EXECUTION, postings.FUNDING, "funding", Effect.RESULT, Sign.ANY)
_CONVERSION = TransactionType(BookedBy.LOG, postings.CONVERSION, "conversion", Effect.RESULT, Sign.ANY)
_BONUS_IN = TransactionType(BookedBy.LOG, postings.BONUS, "bonus", Effect.RESULT, Sign.IN)
_BONUS_OUT = _BONUS_IN._replace(sign=Sign.OUT)
_INTEREST = TransactionType(BookedBy.LOG, postings.INTEREST, "interest", Effect.RESULT, Sign.OUT)
_CHARGE = TransactionType(BookedBy.LOG, postings.FEES, "fee", Effect.RESULT, Sign.OUT)
_LOAN_IN = TransactionType(BookedBy.LOG, postings.LOANS, "loan", Effect.FLOW, Sign.IN)
_LOAN_OUT = _LOAN_IN._replace(sign=Sign.OUT)
_EARN_OUT = TransactionType(BookedBy.LOG, postings.EARN, "earn", Effect.FLOW, Sign.OUT)
_EARN_IN = _EARN_OUT._replace(sign=Sign.IN)
_LOCKED_OUT = _EARN_OUT._replace(ledger_account=postings.EARN_LOCKED)
_LOCKED_IN = _EARN_IN._replace(ledger_account=postings.EARN_LOCKED)
_DEPOSIT = TransactionType(BookedBy.LOG, postings.DEPOSITS, "deposit", Effect.FLOW, Sign.IN)
_WITHDRAWAL = TransactionType(BookedBy.LOG, postings.WITHDRAWALS, "withdrawal", Effect.FLOW, Sign.OUT)
_CUSTODY_OUT = TransactionType(BookedBy.LOG, postings.CUSTODY, "custody", Effect.FLOW, Sign.OUT)
_CUSTODY_IN = _CUSTODY_OUT._replace(sign=Sign.IN)
_CUSTODY_ANY = _CUSTODY_OUT._replace(sign=Sign.ANY)

TRANSACTION_TYPES: dict[str, TransactionType] = {
    # --- trading: booked by executions, since they arrive first and carry the order ---
    "TRADE": _EXECUTION,
    "LIQUIDATION": _EXECUTION,
    "ADL": _EXECUTION,
    "SETTLEMENT": _FUNDING,
    "DELIVERY": _EXECUTION,
    # --- between wallets, and from and to outside ---
    "TRANSFER_IN": _DEPOSIT._replace(booked_by=BookedBy.TRANSFER),
    "TRANSFER_OUT": _WITHDRAWAL._replace(booked_by=BookedBy.TRANSFER),
    "DBS_CASH_IN": _DEPOSIT,
    "DBS_CASH_OUT": _WITHDRAWAL,
    "DBS_CASH_IN_TR": _DEPOSIT,
    "DBS_CASH_OUT_TR": _WITHDRAWAL,
    "CUSTODY_CASH_RECOVER_TR": _CUSTODY_ANY,
    "CUSTODY_LOCK": _CUSTODY_OUT,
    "CUSTODY_UNLOCK": _CUSTODY_IN,
    "CUSTODY_UNLOCK_REFUND": _CUSTODY_ANY,
    "PEF_TRANSFER_IN": _DEPOSIT,
    "PEF_TRANSFER_OUT": _WITHDRAWAL,
    # --- interest, fees ---
    "INTEREST": _INTEREST,
    "INTEREST_REPAYMENT_INS_LOAN": _INTEREST,
    "AUTO_INTEREST_REPAYMENT_INS_LOAN": _INTEREST,
    "INSTITUTION_PAYBACK_INTEREST_OUT": _INTEREST,
    "INSTITUTION_LIQ_INTEREST_OUT": _INTEREST,
    "FEE_REFUND": _CHARGE._replace(sign=Sign.IN),
    "CUSTODY_NETWORK_FEE": _CHARGE,
    "CUSTODY_SETTLE_FEE": _CHARGE,
    "SPREAD_FEE_OUT": _CHARGE,
    "BROKER_ABACCOUNT_FEE": _CHARGE,
    "AUTO_DEDUCTION": TransactionType(BookedBy.LOG, postings.DEDUCTIONS, "adjustment", Effect.RESULT, Sign.ANY),
    # --- bonuses, coupons, gifts ---
    "BONUS": _BONUS_IN,
    "BONUS_RECOLLECT": _BONUS_OUT,
    "BONUS_TRANSFER_IN": _BONUS_IN,
    "BONUS_TRANSFER_OUT": _BONUS_OUT,
    "AIRDROP": _BONUS_IN,
    "TWAP_BUDGET_AIRDROP": _BONUS_IN,
    "TWAP_BUDGET_RECALL": _BONUS_OUT,
    "PLATFORM_TOKEN_MNT_LIQRETURNEDMNT": _BONUS_IN,
    "PLATFORM_TOKEN_MNT_LIQRECALLEDMMNT": _BONUS_OUT,
    # --- coins exchanged for each other, outside the order book ---
    "CURRENCY_BUY": _CONVERSION,
    "CURRENCY_SELL": _CONVERSION,
    "CONVERT": _CONVERSION,
    "IDN_CONVERT_IN": _CONVERSION._replace(sign=Sign.IN),
    "IDN_CONVERT_OUT": _CONVERSION._replace(sign=Sign.OUT),
    "SPOT_REPAYMENT_SELL": _CONVERSION,
    "SPOT_REPAYMENT_BUY": _CONVERSION,
    "AUTO_SOLD_COLLATERAL_INS_LOAN": _CONVERSION,
    "AUTO_BUY_LIABILITY_INS_LOAN": _CONVERSION,
    "INSTITUTION_EXCHANGE_SELL": _CONVERSION,
    "INSTITUTION_EXCHANGE_BUY": _CONVERSION,
    "EARNING_REDEMPTION_SELL": _CONVERSION,
    "EARNING_REDEMPTION_BUY": _CONVERSION,
    "TOKENS_SUBSCRIPTION": _CONVERSION,
    "TOKENS_REDEMPTION": _CONVERSION,
    "PREMARKET_TRANSFER_OUT": _CONVERSION._replace(sign=Sign.OUT),
    "PREMARKET_DELIVERY_SELL_NEW_COIN": _CONVERSION,
    "PREMARKET_DELIVERY_BUY_NEW_COIN": _CONVERSION,
    "PREMARKET_DELIVERY_PLEDGE_PAY_SELLER": _CONVERSION,
    "PREMARKET_DELIVERY_PLEDGE_BACK": _CONVERSION._replace(sign=Sign.IN),
    "PREMARKET_ROLLBACK_PLEDGE_BACK": _CONVERSION._replace(sign=Sign.IN),
    "PREMARKET_ROLLBACK_PLEDGE_PENALTY_TO_BUYER": _CONVERSION,
    "ALPHA_SMALL_TOKEN_REFUND": TransactionType(BookedBy.LOG, postings.DUST, "dust", Effect.RESULT, Sign.IN),
    # --- Earn: what is subscribed is still ours, at another place of the exchange ---
    "FLEXIBLE_STAKING_SUBSCRIPTION": _EARN_OUT,
    "FLEXIBLE_STAKING_REDEMPTION": _EARN_IN,
    "FLEXIBLE_STAKING_REFUND": _EARN_IN,
    "FIXED_STAKING_SUBSCRIPTION": _LOCKED_OUT,
    "FIXED_STAKING_REFUND": _LOCKED_IN,
    "ONCHAINEARN_SUBSCRIPTION": _LOCKED_OUT,
    "ONCHAINEARN_REDEMPTION": _LOCKED_IN,
    "ONCHAINEARN_REFUND": _LOCKED_IN,
    "STRUCTURE_PRODUCT_SUBSCRIPTION": _LOCKED_OUT,
    "STRUCTURE_PRODUCT_REFUND": _LOCKED_IN,
    "CLASSIC_WEALTH_MANAGEMENT_SUBSCRIPTION": _LOCKED_OUT,
    # The list says "in", the name says "out".
    "PREMIMUM_WEALTH_MANAGEMENT_SUBSCRIPTION": _LOCKED_OUT._replace(sign=Sign.ANY),
    "PREMIMUM_WEALTH_MANAGEMENT_REFUND": _LOCKED_IN,
    "LIQUIDITY_MINING_SUBSCRIPTION": _LOCKED_OUT,
    "LIQUIDITY_MINING_REFUND": _LOCKED_IN,
    "PWM_SUBSCRIPTION": _LOCKED_OUT,
    "PWM_REFUND": _LOCKED_IN,
    "DEFI_INVESTMENT_SUBSCRIPTION": _LOCKED_OUT,
    "DEFI_INVESTMENT_REFUND": _LOCKED_IN,
    "DEFI_INVESTMENT_REDEMPTION": _LOCKED_IN,
    "PEF_PROFIT_SHARE": TransactionType(BookedBy.LOG, postings.EARN_INCOME, "earn", Effect.RESULT, Sign.ANY),
    # --- loans: this system borrows nothing, an operator may ---
    "BORROW": _LOAN_IN,
    "REPAY": _LOAN_OUT,
    "FLOATING_TO_FIXED_BORROW": _LOAN_IN,
    "FLOATING_TO_FIXED_REPAY": _LOAN_OUT,
    "LOANS_BORROW_FUNDS": _LOAN_IN,
    "LOANS_PLEDGE_ASSET": _LOAN_IN._replace(sign=Sign.ANY),
    "BORROWED_AMOUNT_INS_LOAN": _LOAN_IN,
    "PRINCIPLE_REPAYMENT_INS_LOAN": _LOAN_OUT,
    "AUTO_PRINCIPLE_REPAYMENT_INS_LOAN": _LOAN_OUT,
    "TRANSFER_IN_INS_LOAN": _LOAN_IN,
    "TRANSFER_OUT_INS_LOAN": _LOAN_OUT,
    "INSTITUTION_LOAN_IN": _LOAN_IN,
    "INSTITUTION_PAYBACK_PRINCIPAL_OUT": _LOAN_OUT,
    "INSTITUTION_LIQ_PRINCIPAL_OUT": _LOAN_OUT,
    "INSTITUTION_LOAN_TRANSFER_IN": _LOAN_IN,
    "INSTITUTION_LOAN_TRANSFER_OUT": _LOAN_OUT,
    "INSTITUTION_LOAN_WITHOUT_WITHDRAW": _LOAN_OUT,
    "INSTITUTION_LOAN_RESERVE_IN": _LOAN_IN,
    "INSTITUTION_LOAN_RESERVE_OUT": _LOAN_OUT,
}

FLEXIBLE_STAKING = frozenset(
    {"FLEXIBLE_STAKING_SUBSCRIPTION", "FLEXIBLE_STAKING_REDEMPTION", "FLEXIBLE_STAKING_REFUND"}
)
"""Rows of coins moving into and out of flexible Earn products; those of our own staking orders are booked by them."""


def is_booked_by_execution(transaction_type: str) -> bool:
    """Whether the execution stream and list book the rows of this type."""
    known = TRANSACTION_TYPES.get(transaction_type)
    return known is not None and known.booked_by is BookedBy.EXECUTION
