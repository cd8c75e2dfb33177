"""What the system has recorded, in words for people: one wording for command line, Telegram, e-mail and page. Pure, and
light to load."""
