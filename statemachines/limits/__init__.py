"""Limits, gates and rates shared by several parts, each defined once (DESIGN 2, 9).

Pure functions and constants; a limit that only one part applies belongs to that part.
"""
