"""The documents: what they cite and what cites them exists."""
