"""One-time links: who starts the system on this machine opens the console without a token, once and within a minute.

The secret stands behind the `#` of the link: a browser sends that part to no server, so that no log of an address
holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from api.access.document import AccessError
from api.access.state import Link, StateFile, digest_of, is_same, new_secret
from infra.addresses import in_url, is_loopback, reachable

LINK_S = 60
KEPT = timedelta(minutes=10)
"""How long a link that has ended can be named as such."""

ANOTHER = "`eternal access link`, on the machine on which the system runs, makes another one."


class Redeemed(StrEnum):
    """What has come of a link."""

    OPENED = "opened"
    USED = "used"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def sentence(self) -> str:
        """Why it opens nothing, and what to do."""
        why = {
            Redeemed.USED: "This link was used before; a link opens the console once",
            Redeemed.EXPIRED: f"This link has expired; a link is valid for {LINK_S} s",
        }.get(self, "This link is not known; it may be older than ten minutes, or not be complete")
        return f"{why}. {ANOTHER}"


class Links:
    """Safe for several programs by the file's lock: `eternal run` and `eternal access link` make them, the interface
    takes them."""

    def __init__(self, file: StateFile, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._file, self._now = file, now

    def make(self) -> str:
        """The secret of a new link. Raises AccessError and OSError."""
        secret, now = new_secret(), self._now()
        link = Link(hash=digest_of(secret), ends_at=now + timedelta(seconds=LINK_S))
        with self._file.changing() as draft:
            kept = tuple(one for one in draft.value.links if now < one.ends_at + KEPT)
            draft.value = draft.value.model_copy(update={"links": (*kept, link)})
        return secret

    def redeem(self, secret: str) -> Redeemed:
        """Use a link. Two at once: one opens. Raises AccessError and OSError: it is not used."""
        with self._file.changing() as draft:
            links = draft.value.links
            found = next((one for one in links if is_same(one.hash, secret)), None)
            if found is None:
                return Redeemed.UNKNOWN
            if found.is_used:
                return Redeemed.USED
            if found.ends_at <= self._now():
                return Redeemed.EXPIRED
            used = tuple(one.model_copy(update={"is_used": True}) if one is found else one for one in links)
            draft.value = draft.value.model_copy(update={"links": used})
        return Redeemed.OPENED


def link_to(scheme: str, host: str, port: int, secret: str) -> str:
    """The link as it is shown. `host` is what the interface listens on.

    Raises:
        AccessError: that is reached by no loopback address, from which alone a link opens anything.
    """
    shown = reachable(host)
    if not is_loopback(shown):
        raise AccessError(
            f"A one-time link opens the console from this machine's loopback address only, and api.host = {host} "
            "is another one: log in with a token, or listen on 127.0.0.1 or 0.0.0.0."
        )
    return f"{scheme}://{in_url(shown)}:{port}/#link={secret}"
