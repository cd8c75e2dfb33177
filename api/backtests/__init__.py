"""Backtests for the ways in: what may be asked of one, the folder of the runs, and the keeper that runs them as
processes of their own, one at a time."""
