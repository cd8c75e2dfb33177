"""The accounts' holdings and their value: the single definition of equity, and the holdings it is computed from.

No rule about risk or orders belongs here.
"""
