"""Messages between actors by domain (market, orders, accounts, control); `kinds` reads any of them.

Values only: no rule lives here.
"""
