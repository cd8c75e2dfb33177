"""How a command reaches the interface: this machine's data folder, or an address with a credential."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from api.cli.status import NothingRunsError, running_pid
from api.client.calls import CODE_HEADER, HttpCalls
from api.client.errors import UnreachedError
from api.client.operations import Operations
from api.client.running_system import Place, find_place
from api.text import quoted
from api.tokens import read_or_make_token
from infra.addresses import in_url, is_loopback
from infra.config.sources import CREDENTIALS_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE
from infra.faults import OperatorError
from infra.files import SECRET_MODE, read_port

PORT_FILE = "api-port"
KEYS = ("url", "token", "certificate")


class WayError(OperatorError):
    """An address or a credential that cannot be used."""


@dataclass(frozen=True)
class Asked:
    """What the command line says of the way. `code` is of a second factor."""

    data: Path | None = None
    config_file: Path | None = None
    url: str | None = None
    token: str | None = field(default=None, repr=False)
    credentials: Path | None = None
    code: str | None = field(default=None, repr=False)


class Way:
    """The interface that a command talks to. What it raises first: WayError, NothingRunsError, ConfigurationError,
    UnansweredError."""

    def __init__(self, asked: Asked, environment: Mapping[str, str] = os.environ) -> None:
        self.asked = asked
        self._environment = environment

    @cached_property
    def place(self) -> Place | None:
        """The data folder of this machine; None for an address that was given."""
        return None if self._given.get("url") else find_place(self.asked.data, self.asked.config_file)

    @property
    def is_owner(self) -> bool:
        """Whether the owner's token of this machine's data folder is used."""
        return self.place is not None and "token" not in self._given

    @cached_property
    def operations(self) -> Operations:
        """The interface's operations. Every request reads the token anew: it may be rotated."""
        place = self.place
        return Operations(self._local(place) if place is not None else self._remote())

    @property
    def running_place(self) -> Place:
        """The data folder, on which a system runs. Raises NothingRunsError; WayError for an address."""
        if self.place is None:
            raise WayError("This command works on the machine of the system only, not by --url.")
        demand_running(self.place)
        return self.place

    @cached_property
    def _given(self) -> dict[str, str]:
        """Address and credential: the option, then the variable, then the file. A data folder on the command line
        counts before an address in the environment."""
        environment = {} if self.asked.data is not None else self._environment
        named = self.asked.credentials or environment.get(CREDENTIALS_VARIABLE)
        found = {} if not named else read_credentials(Path(named))
        for name, option, variable in (
            ("url", self.asked.url, URL_VARIABLE),
            ("token", self.asked.token, TOKEN_VARIABLE),
        ):
            if value := option if option is not None else environment.get(variable, ""):
                found[name] = value
        return found

    def _headers(self, token: str) -> dict[str, str]:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise WayError("The token is refused: it has a character that no header carries.")
        return {"Authorization": f"Bearer {token}", **self._code()}

    def _code(self) -> dict[str, str]:
        return {} if self.asked.code is None else {CODE_HEADER: self.asked.code}

    def _remote(self) -> HttpCalls:
        given = self._given
        url = checked_url(given["url"])
        token = given.get("token")
        if not token:
            raise WayError(
                f"There is no token for {url}: give {TOKEN_VARIABLE}, or --credentials FILE with url and token. "
                "`eternal access add` makes one."
            )
        headers = self._headers(token)
        certificate = given.get("certificate")
        return HttpCalls(url, lambda: headers, None if certificate is None else Path(certificate))

    def _local(self, place: Place) -> HttpCalls:
        demand_running(place)
        port = read_port(place.data_folder / PORT_FILE)
        if port is None:
            raise UnreachedError(
                f"the system is still starting: its port is not in {place.data_folder / PORT_FILE} yet"
            )
        token = self._given.get("token")
        return local_calls(place, port, {} if token is None else self._headers(token), self._code())


def local_calls(
    place: Place, port: int, headers: Mapping[str, str] | None = None, more: Mapping[str, str] | None = None
) -> HttpCalls:
    """To our own interface on this machine: of its certificates exactly the configured one is taken. Without `headers`
    the owner's token of the data folder is sent; a removed one is made here as well as there, so that a halt does not
    wait for the API. `more` is sent with either."""
    scheme = "http" if place.certificate is None else "https"
    return HttpCalls(
        f"{scheme}://{in_url(place.reachable_host)}:{port}",
        lambda: {**(headers or read_or_make_token(place.token_file).header()), **(more or {})},
        place.certificate,
    )


def demand_running(place: Place) -> None:
    """Raises NothingRunsError when no system runs on the folder."""
    if running_pid(place.data_folder) is None:
        raise NothingRunsError(f"No system runs on {place.data_folder}; `eternal run` starts one.")


def checked_url(text: str) -> str:
    """The address without a slash at its end. Raises WayError: it is none, or would send the token unencrypted."""
    example = "https://HOST:PORT is required"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise WayError(f"The address {quoted(text)} is refused: {error}; {example}.") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise WayError(f"The address {quoted(text)} is refused; {example}.")
    if parts.scheme == "http" and not is_loopback(host):
        raise WayError(f"The address {quoted(text)} is refused: a token is sent to another machine over https:// only.")
    return text.rstrip("/")


def read_credentials(path: Path) -> dict[str, str]:
    """Address, token and certificate of a TOML file that only its owner can read. Raises WayError and OSError."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~SECRET_MODE:
        raise WayError(f"The credential file {path} is refused: others may use it (mode {mode:04o}); chmod 600 {path}")
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # its text may be part of the token
        raise WayError(f"The credential file {path} is refused: it is not TOML.") from None
    for name, value in found.items():
        if name not in KEYS or not isinstance(value, str) or not value:
            raise WayError(f"{path}: {quoted(name)} is refused; allowed, each a text: {', '.join(KEYS)}.")
    if not {"url", "token"} <= set(found):
        raise WayError(f"{path}: url and token are required.")
    return found
