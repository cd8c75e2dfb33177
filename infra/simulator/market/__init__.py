"""Prices of the simulated exchange: history files or a seeded synthetic market behind one port.

No accounts, no orders, no sockets live here, and nothing from outside the simulator is imported.
"""
