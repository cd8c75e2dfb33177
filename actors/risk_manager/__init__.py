"""The risk manager: keeps the accounts' book, lets intents through or refuses them, holds the risk states.

It asks nothing of the exchange and decides nothing about what to trade.
"""
