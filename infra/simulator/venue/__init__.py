"""The matching core: accounts, wallets, orders, positions, fills, funding, margin, micro-steps. Pure and deterministic.

No sockets, no files, no clock, no JSON envelopes here; prices come from the market port only.
"""
