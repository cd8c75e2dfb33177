"""The exchange's Earn: flexible products, what an account holds in them, and their yield.

No HTTP belongs here.
"""
