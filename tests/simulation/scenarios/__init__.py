"""The whole system under the scenarios of the simulated exchange."""
