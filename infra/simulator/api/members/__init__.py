"""Accounts and keys: sub-accounts and their API keys, made, changed and listed with the master's key."""
