"""Telegram's commands: what a person writes to the bot, answered by the same operator service as page and HTTP."""
