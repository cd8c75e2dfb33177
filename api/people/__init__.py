"""What the process of the pages does for people beside them: commands by Telegram, reports by e-mail."""
