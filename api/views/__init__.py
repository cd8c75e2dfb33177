"""What an operator may read, by what it is about: pure views, and the reading of the database behind them."""
