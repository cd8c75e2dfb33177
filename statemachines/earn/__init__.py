"""The exchange's Earn in the core's own terms (CH-10).

No decision belongs here: when to stake is the engine's, what a reading means the order manager's.
"""
