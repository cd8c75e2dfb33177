"""The commands that ask or command a running system (IF-4)."""
