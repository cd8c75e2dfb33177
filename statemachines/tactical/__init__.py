"""TACTICAL (SPEC chapter 5): cash that is deployed in a panic; profits and proceeds return to CORE-HODL.

Only pure decisions belong here; no I/O, no clock, no details of how an order is worked.
"""
