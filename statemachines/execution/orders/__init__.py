"""The life of one order (EX-1, EX-2, EX-5): its table, its identity, the object that takes reports idempotently.

No requests and no retries here: who sends and when belongs to the order manager.
"""
