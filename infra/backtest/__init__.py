"""The whole system in one process on the simulated exchange's core: backtest, simulation, parity with Ray.

The same logics, durable actor, gateway parsers and matching core as under Ray; no rule is written here.
"""
