"""The typed client of the interface (IF-4). `models` and `operations` are generated from its OpenAPI document by
`make client` (ADR 0031); a test compares them. It loads neither an HTTP library nor Ray nor the database: a command
that only asks must answer at once. `running_system` finds the system of this machine.
"""
