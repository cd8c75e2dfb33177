"""The ways in: HTTP interface, page and command line over one operator service, and the launch of the system.

Nothing here decides or writes to the exchange.
"""
