"""Queries beside the account's and the market's own: the account's whole record, the exchange's solvency.

Not here: writes, and what every reconciliation reads.
"""
