"""What an account has taken from the exchange's records, so that each is taken once, over restarts.

No rule about orders belongs here.
"""
