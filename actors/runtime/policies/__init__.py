"""How a version of the policy comes into force at a durable actor (RM-6): its logic is made anew from its rows.

What a version is and how settings are validated does not belong here (`statemachines.policy`, `infra.config.policy`).
"""
