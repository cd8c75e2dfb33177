"""A further engine, for the test that adds one: it counts the daily cycles and buys once."""
