"""OR-9: comparing our accounts with the exchange, as pure functions split by concern.

They find differences and propose corrections; the order manager reads and applies. One pass converges, a second one
finds nothing.
"""
