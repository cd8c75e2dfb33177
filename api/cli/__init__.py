"""The command line `eternal`: one module per command.

Commands that only call a running system import neither Ray nor the database.
"""
