"""The Ray actors, one file each, and in `runtime/` what makes their decisions durable.

Nothing here decides, and nothing here imports Bybit, PostgreSQL or HTTP; those implement the ports in `infra`.
"""
