"""Alerts on their way to people: what goes where and when, and what became of it (RM-5, IF-4).

No channel is reached from here: the notifier (`actors/notifier.py`) commits what is decided, then sends.
"""
