"""Addresses of this machine: which ones no other machine reaches, and how one is written in a URL."""

from __future__ import annotations

from ipaddress import ip_address

ANY_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What listens on every address is reached on this machine by this one."""


def is_loopback(address: str) -> bool:
    """Whether this is an address of the machine itself, by which no other one reaches it."""
    if address == "localhost" or address.endswith(".localhost"):
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def reachable(host: str) -> str:
    """An address of this machine that reaches what listens on `host`."""
    return ANY_OF.get(host, host)


def in_url(host: str) -> str:
    """As it stands in a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
