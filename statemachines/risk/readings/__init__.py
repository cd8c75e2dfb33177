"""RM-4's switches from their readings to what they trip: streaks, evidence, effects (R2).

Not here: taking a reading (market data, order manager and orchestrator do) and what a state forbids.
"""
