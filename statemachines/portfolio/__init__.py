"""The accounts' holdings and their value: the single definition of equity, the holdings it is computed from, and the
part of an engine's capital that is to be given.

No rule about risk or orders belongs here.
"""
