"""The one database: tables, the store behind the durable actor, read-only queries, migrations and the embedded server.

No decision is taken here; only `api` and the launch import this package.
"""
