"""Indicators over closed bars: pure functions and the daily window that engines update; floats only internally.

No rules, no thresholds and no money belong here.
"""
