"""FUNDING (SPEC chapter 4): market-neutral carry of hedged pairs, long spot and short perpetual.

Only pure decisions live here; no I/O, no clock, no knowledge of how an order is worked.
"""
