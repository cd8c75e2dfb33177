"""Risk: states (RM-2), pre-trade checks (RM-1), drawdown (RM-3) and switches (RM-4, RM-5), all pure.

Nothing here keeps accounts or sends messages; the risk manager's logic does.
"""
