"""Random kills during bursts of orders: nothing may be lost or doubled, whatever dies and whenever."""
