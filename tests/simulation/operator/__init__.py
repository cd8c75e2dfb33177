"""Runs with an operator: his commands amid crashes, outages and faults of the exchange (RM-5, R3)."""
