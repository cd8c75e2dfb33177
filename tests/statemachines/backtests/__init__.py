"""The life of a backtest that was started from the console."""
