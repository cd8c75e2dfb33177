"""FUNDING (SPEC chapter 4): market-neutral carry of hedged pairs, long spot and short perpetual.

Only pure decisions belong here; no I/O, no clock, no details of how an order is worked.
"""
