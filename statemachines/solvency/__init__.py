"""Whether the exchange can pay, in the core's own terms: the insurance fund (FU-9), the status of withdrawals (CH-9).

No decision belongs here: when it is read is market data's, what a reading means the risk manager's and the engine's.
"""
