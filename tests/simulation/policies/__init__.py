"""Versions of the policy in the whole system in process (RM-6)."""
