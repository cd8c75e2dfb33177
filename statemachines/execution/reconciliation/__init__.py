"""OR-9: books against the exchange, as pure functions split by concern.

They find and propose; the order manager fetches and applies. One pass converges, a second one finds nothing.
"""
