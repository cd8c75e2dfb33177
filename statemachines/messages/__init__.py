"""Messages between actors by domain (market, orders, accounts, control); `kinds` parses any of them.

Values only: no rule belongs here.
"""
