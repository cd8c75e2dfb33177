"""Limits, gates and rates that two parts share, each defined once (DESIGN 2, 9).

Pure functions and constants; what only one part applies stands in that part.
"""
