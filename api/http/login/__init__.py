"""The console's way in over HTTP: login, logout, codes, one-time links, and the list of sessions.

Who may enter and how far is decided elsewhere (`api.access`).
"""
