"""The life cycle of one order (EX-1, EX-2, EX-5): its table, its identity, and the object that applies reports
idempotently.

No requests and no retries here: sending belongs to the order manager.
"""
