"""The embedded PostgreSQL server: its files, its process, its user.

Nothing here depends on our tables.
"""
