"""The commands that ask or command a running system over its interface (IF-4), by the typed client alone.

They load neither Ray nor the database; the one exception is `eternal control` while the interface is away.
"""
