"""Supervision, recovery, the daily cycle and the movement of capital between engines: the actor and its policies.

No rule of an engine and no access to the exchange may live here.
"""
