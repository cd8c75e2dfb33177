"""Ports on this machine: a free one, and whether a named one is taken."""

from __future__ import annotations

import contextlib
import errno
import socket

from infra.faults import OperatorError

LOOPBACK = "127.0.0.1"


class PortTakenError(OperatorError):
    """A configured port belongs to another program; the text names the setting."""


def is_free(host: str, port: int) -> bool:
    """Whether nothing listens on the port now. Raises OSError when the host is not an address of this machine."""
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port(wanted: int, host: str = LOOPBACK) -> int:
    """`wanted` if it is free, else any free one (0 asks for that)."""
    with contextlib.suppress(OSError):  # a remembered port that is not ours to take any more
        if wanted and is_free(host, wanted):
            return wanted
    return free_ports(1, host)[0]


def free_ports(number: int, host: str = LOOPBACK) -> tuple[int, ...]:
    """So many different free ports: each is held until all are chosen, since one that was let go may be given again."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket(_family(host))) for _ in range(number)]
        for probe in probes:
            probe.bind((host, 0))
        return tuple(int(probe.getsockname()[1]) for probe in probes)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def require_free(name: str, host: str, port: int) -> int:
    """`port`, which the operator has configured as `name`.

    Raises:
        PortTakenError: another program listens there; a configured port is never replaced by another one.
    """
    try:
        if is_free(host, port):
            return port
    except OSError as error:
        raise PortTakenError(
            f"{name}={port} cannot be used on {host}: {error.strerror or error}. Choose another port or address."
        ) from None
    raise PortTakenError(
        f"{name}={port} is taken by another program on {host}: end that program, choose another port, or 0 for any."
    )


class HeldPort:
    """A port chosen for a process that will listen later. It is bound here until `release`, so that nothing that is
    started in between is given it: the database was, once, and the API could not listen for good."""

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError when it is taken."""
        self.port = port
        try:
            self._socket = _bound(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            # Connections of the process that listened there before still stand in the tables of the kernel.
            self._socket = _bound(host, port, is_reused=True)

    def release(self) -> None:
        """Let it go; repeating it does nothing."""
        self._socket.close()


def hold_port(name: str, host: str, configured: int, remembered: int) -> HeldPort:
    """The port that the operator has configured, else the remembered one if it is free, else any; held. `name` is that
    of the configuration's section.

    Raises:
        PortTakenError: the configured one is taken, or the host is not an address of this machine.
    """
    if configured:
        return HeldPort(host, require_free(f"{name}.port", host, configured))
    try:
        return HeldPort(host, free_port(remembered, host))
    except OSError as error:
        raise PortTakenError(f"{name}.host={host} cannot be listened on: {error.strerror or error}.") from None


def _bound(host: str, port: int, *, is_reused: bool = False) -> socket.socket:
    made = socket.socket(_family(host))
    try:
        if is_reused:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
