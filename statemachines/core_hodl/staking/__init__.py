"""Staking (CH-10, C9): the decision, and the staking order under way with the sales that wait for it.

No request to the exchange belongs here: the order manager performs and books staking orders.
"""
