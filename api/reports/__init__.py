"""Daily and monthly reports to the owner: what they say, how they look, and when they are handed to the notifier."""
