"""Refusals of the venue, with Bybit's return codes."""

from __future__ import annotations


class VenueError(Exception):
    """A request the venue refuses. ``code`` is Bybit's retCode, ``message`` the retMsg."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def params_error(message: str) -> VenueError:
    """10001: a parameter is missing, malformed or not allowed."""
    return VenueError(10001, message)
