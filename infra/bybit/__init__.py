"""The Bybit V5 gateway on pybit: sessions, strict parsers, typed faults, rate limits, streams, lockstep client.

No decisions here, and no code shared with the simulated exchange.
"""
