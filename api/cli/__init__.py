"""The command line `eternal`: one module per command.

What only speaks to a running system imports neither Ray nor the database.
"""
