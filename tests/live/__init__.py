"""The profile `testnet`, as an operator runs it, against the simulated exchange by the wall clock."""
