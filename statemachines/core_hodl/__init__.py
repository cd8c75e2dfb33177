"""CORE-HODL (SPEC chapter 2): build BTC and ETH by DCA, hold them, harvest volatility by rebalancing.

Only pure decisions belong here; no I/O, no clock, no details of how an order is worked.
"""
