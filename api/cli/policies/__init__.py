"""`eternal policy`: its commands, and what a change would do now (RM-6).

Versions and their validation do not belong here (`api.policies`, `infra.config.policy`).
"""
