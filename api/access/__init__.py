"""Who may reach the interface, and how far: credentials, their scopes, and what slows strangers.

What a request does does not belong here (`api.http`), nor what an operator may command (`statemachines.limits`).
"""
