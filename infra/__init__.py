"""The outside behind the ports: Bybit gateway, simulated exchange, database, feeds, configuration.

No decision may live here: what is decided stands in `statemachines`.
"""
