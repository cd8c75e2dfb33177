"""Secrets on their way to the processes that need them: from the launch's memory, over a socket that only we can open.

Nothing secret stands in an environment, on a command line, in Ray's tables or in a file of the launch's.
"""
