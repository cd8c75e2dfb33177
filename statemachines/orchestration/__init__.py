"""The daily cycle (OR-3), capital moved between engines (OR-6) and the daily summary.

No rule of an engine and no access to the exchange; restarting failed actors belongs to `supervision`.
"""
