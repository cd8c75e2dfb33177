"""Market data: bars, quotes, settled funding and external values, cleaned (DA-1..3) and announced in order.

Pure: no clock, no I/O; it requests data through its actor and never decides anything about trading.
"""
