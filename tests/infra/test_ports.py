"""Ports that are chosen together differ: Ray refused to start when two of its components were given the same one."""

from __future__ import annotations

import socket

import pytest

from infra.processes.ports import HeldPort, PortTakenError, free_port, free_ports, hold_port, is_free


def test_ports_chosen_together_differ_and_are_free_afterwards() -> None:
    for _ in range(20):
        chosen = free_ports(8)
        assert len(set(chosen)) == 8
    assert all(is_free("127.0.0.1", port) for port in chosen)


def test_a_port_that_is_chosen_for_later_is_given_to_nothing_else_until_it_is_released() -> None:
    """The database of a fresh start was given the port that had been chosen for the API, which never listened."""
    held = hold_port("api", "127.0.0.1", 0, 0)
    assert not is_free("127.0.0.1", held.port) and free_port(held.port) != held.port
    with pytest.raises(PortTakenError, match=r"api\.port"):
        hold_port("api", "127.0.0.1", held.port, 0)
    held.release()
    held.release()
    assert is_free("127.0.0.1", held.port)


def test_a_remembered_port_is_held_again_also_while_old_connections_are_being_forgotten() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = int(server.getsockname()[1])
    client = socket.create_connection(("127.0.0.1", port))
    served, _ = server.accept()
    served.close()  # this side ends first: the kernel remembers the connection for a minute
    client.close()
    server.close()
    held = hold_port("api", "127.0.0.1", 0, port)
    assert held.port == port
    held.release()


def test_a_port_that_somebody_has_cannot_be_held() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(OSError, match="in use"):
        HeldPort("127.0.0.1", int(server.getsockname()[1]))


def test_no_port_is_let_go_before_all_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that always gives the lowest free port gave the same one four times."""
    held: list[object] = []

    class Probe:
        def __init__(self, _family: int) -> None:
            self.number = 0

        def __enter__(self) -> Probe:
            return self

        def __exit__(self, *_error: object) -> None:
            held.remove(self)

        def bind(self, _address: tuple[str, int]) -> None:
            held.append(self)
            self.number = 40_000 + len(held)

        def getsockname(self) -> tuple[str, int]:
            return "127.0.0.1", self.number

    monkeypatch.setattr("infra.processes.ports.socket.socket", Probe)
    assert free_ports(4) == (40_001, 40_002, 40_003, 40_004)
