"""`eternal ledger`: the journal as files for accounting and taxes, and its proof against the exchange.

What an entry is, is decided in `statemachines/ledger`; nothing is booked here.
"""
