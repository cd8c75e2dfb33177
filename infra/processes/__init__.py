"""The operating system's processes: their environment, who belongs to a run, who is stopped, and their end.

Only the standard library: the light ways in (`eternal stop`) use it too.
"""
