"""Indicators over closed bars: pure functions and the daily window that engines keep live; float inside only.

No rules, no thresholds and no money may live here.
"""
