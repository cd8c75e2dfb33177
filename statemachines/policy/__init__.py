"""Versions of the policy while the system runs (RM-6), pure: how one actor takes a version, and when it is in force.

Settings, their validation and the database do not belong here (`infra.config.policy`, `infra.database.registers`).
"""
