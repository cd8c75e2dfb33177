"""What the system has recorded, in words for people."""
