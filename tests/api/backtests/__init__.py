"""Backtests from the console: what may be asked, the folder of the runs, their keeper, the routes."""
