"""The simulated exchange: market, matching core, V5 answers and server, as a process of its own.

Shares no code with the gateway (`infra.bybit`) and imports nothing from the layers below.
"""
