"""Failed attempts to get in: each slows its address, is logged, and together they are a condition that the operator is
alerted of (ADR 0016). The rules are pure; `FailureDesk` keeps them for several threads."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from api.access.pace import CALM_S, LONGEST_WAIT_S, FailurePace

_log = logging.getLogger(__name__)

ALERT_FROM = 5
"""So many failures, with no calm time between them, are a condition; a mistyped token is none."""

SHOWN = 3
MOST_NAMES = 1_000

KINDS = {
    "token": ("wrong token", "wrong tokens"),
    "login": ("failed login", "failed logins"),
    "code": ("wrong code of a second factor", "wrong codes of a second factor"),
    "link": ("wrong one-time link", "wrong one-time links"),
    "telegram": ("message to the bot by a stranger", "messages to the bot by strangers"),
}


class Condition(NamedTuple):
    """What the operator is alerted of, or that it has ended."""

    is_open: bool
    is_critical: bool
    text: str


class FailureWatch:
    """Counts the failures of an episode, which ends after a calm time. Pure."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._persons: set[str] = set()
        self._first_s = self._last_s = 0.0
        self._next_text_at = ALERT_FROM
        self._is_open = False

    def failed(self, kind: str, address: str, person: str, now_s: float) -> None:
        """One more; `person` is whose token was right when only the code was wrong."""
        if not self._kinds or now_s - self._last_s > CALM_S:
            self._begin(now_s)
        self._last_s = now_s
        self._kinds[kind] += 1
        if address in self._addresses or len(self._addresses) < MOST_NAMES:
            self._addresses[address] += 1
        if person:
            self._persons.add(person)

    def look(self, now_s: float) -> Condition | None:
        """What has begun, changed (each doubling is a change) or ended since the last look."""
        count = self._kinds.total()
        if self._is_open and now_s - self._last_s > CALM_S:
            self._is_open = False
            return Condition(
                False, False, f"there was no further attempt for {CALM_S / 60:.0f} min; there were {count} in all."
            )
        if count < self._next_text_at or now_s - self._last_s > CALM_S:
            return None
        while self._next_text_at <= count:
            self._next_text_at *= 2
        self._is_open = True
        return Condition(True, bool(self._persons), self._text())

    def _begin(self, now_s: float) -> None:
        self._kinds.clear()
        self._addresses.clear()
        self._persons.clear()
        self._first_s = now_s
        self._next_text_at = ALERT_FROM

    def _text(self) -> str:
        kinds = ", ".join(f"{n} {KINDS[kind][n != 1]}" for kind, n in self._kinds.most_common())
        named = [f"{address} ({n})" for address, n in self._addresses.most_common(SHOWN)]
        others = len(self._addresses) - len(named)
        places = ", ".join(named) + (f" and {others} more" if others else "")
        minutes = max(1, round((self._last_s - self._first_s) / 60))
        return (
            f"{self._kinds.total()} attempts to get in failed within {minutes} min ({kinds}), from {places}. All were "
            f"refused, and each further one from such an address waits up to {LONGEST_WAIT_S:.0f} s; credentials and "
            f"sessions in use are not affected. {self._action()}"
        )

    def _action(self) -> str:
        if self._persons:
            names = " and ".join(sorted(self._persons))
            return (
                f"Required action: ask {names} whether that was a mistake. If not, the token of {names} is in other "
                f"hands: `eternal access rotate NAME`."
            )
        return (
            "Required action: none if it was a mistake of yours or of a colleague; otherwise block the address before "
            "the interface, and check `eternal access sessions`."
        )


class FailureDesk:
    """Slows, logs and counts. Safe for several threads."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._watch = FailureWatch()
        # Apart: strangers from everywhere must not push the count of a credential's codes out.
        self._places, self._codes = FailurePace(), FailurePace()
        self._guard = threading.Lock()

    def wait_s(self, address: str, credential_id: str = "") -> float:
        """How long nothing that this address presents is looked at, nor any code of this credential."""
        with self._guard:
            now_s = self._clock_s()
            return max(self._places.wait_s(place_of(address), now_s), self._codes.wait_s(credential_id, now_s))

    def failed(self, kind: str, address: str, person: str = "", credential_id: str = "") -> None:
        """One more from this address; `credential_id` is whose code was wrong."""
        with self._guard:
            now_s = self._clock_s()
            count = self._places.failed(place_of(address), now_s)
            if credential_id:
                self._codes.failed(credential_id, now_s)
            self._watch.failed(kind, address, person, now_s)
        if count & (count - 1) == 0:  # 1, 2, 4, 8, ...: a flood must not fill the log
            _log.warning("a %s came from %s (%d so far)", KINDS[kind][0], address, count)

    def succeeded(self, address: str) -> None:
        """A token was proved from this address: its count ends."""
        with self._guard:
            self._places.succeeded(place_of(address))

    def code_taken(self, credential_id: str) -> None:
        """A code of this credential was right: the count of wrong ones ends."""
        with self._guard:
            self._codes.succeeded(credential_id)

    def look(self) -> Condition | None:
        """`FailureWatch.look`."""
        with self._guard:
            return self._watch.look(self._clock_s())


def place_of(address: str) -> str:
    """What is slowed as one: an address, and of IPv6 the network of 64 bits, any address of which is free to take."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return str(getattr(found, "ipv4_mapped", None) or found)
