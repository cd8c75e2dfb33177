"""Whether the exchange can pay: its insurance fund (FU-9) and whether coins can be withdrawn (CH-9), read regularly.

Not here: what follows from a reading. The risk manager's switches and the engines decide that.
"""
