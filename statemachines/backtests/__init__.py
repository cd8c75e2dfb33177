"""Backtests that the operator starts from the console: the life of a run, and what follows from how it ended."""
