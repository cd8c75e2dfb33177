"""Risk: states (RM-2), pre-trade checks (RM-1), drawdown (RM-3) and switches (RM-4, RM-5), all pure.

Only `logic` holds accounts and sends messages.
"""
