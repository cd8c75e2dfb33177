"""Orders of the matching core: checks, working, matching, fills.

No wallet changes but through the venue's records.
"""
