"""How decisions become durable: the durable actor around a logic, its ports to the outside, routing and the runtimes.

Nothing here depends on Bybit, PostgreSQL or HTTP; those implement the ports in `infra` and are handed in at launch.
"""
