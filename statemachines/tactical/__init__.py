"""TACTICAL (SPEC chapter 5): cash that waits for panic, deploys, takes its profit and returns to CORE-HODL.

Only pure decisions live here; no I/O, no clock, no knowledge of how an order is worked.
"""
