"""Ports that are chosen together differ: Ray refused to start when two of its components were given the same one."""

from __future__ import annotations

import pytest

from infra.processes.ports import free_ports, is_free


def test_ports_chosen_together_differ_and_are_free_afterwards() -> None:
    for _ in range(20):
        chosen = free_ports(8)
        assert len(set(chosen)) == 8
    assert all(is_free("127.0.0.1", port) for port in chosen)


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
