"""Order execution: the only writer of orders, executions, positions and the ledger (DESIGN 1, 5, 6).

It works approved intents inside their bounds and decides nothing about what to trade. Pure: no I/O, no clock.
"""
