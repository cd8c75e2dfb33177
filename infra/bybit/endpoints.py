"""Base addresses per environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Environment = Literal["paper", "demo", "testnet", "live"]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where REST, public and private streams live. Stream addresses are without path."""

    rest: str
    public_stream: str
    private_stream: str


_REAL: dict[str, Endpoints] = {
    "live": Endpoints("https://api.bybit.com", "wss://stream.bybit.com", "wss://stream.bybit.com"),
    "testnet": Endpoints(
        "https://api-testnet.bybit.com", "wss://stream-testnet.bybit.com", "wss://stream-testnet.bybit.com"
    ),
    # Demo trading has private streams only; its public data are those of the live site.
    "demo": Endpoints("https://api-demo.bybit.com", "wss://stream.bybit.com", "wss://stream-demo.bybit.com"),
}


def endpoints(environment: Environment, others: Mapping[str, str], simulator_url: str = "") -> Endpoints:
    """Addresses of an environment; `others` (by field of `Endpoints`, from `[addresses]`) stand in place of the
    environment's own: no caller may leave them out, or a rehearsal's signed requests go to Bybit itself.
    `simulator_url` is the simulated exchange's (`http://127.0.0.1:PORT`) for paper.

    Raises:
        ValueError: paper without the address of the simulated exchange, or with one that is not http.
    """
    if environment != "paper":
        return replace(_REAL[environment], **others)
    if not simulator_url.startswith("http://"):
        raise ValueError(f"the simulated exchange's address is {simulator_url!r}; http://HOST:PORT is required.")
    base = simulator_url.rstrip("/")
    stream = "ws://" + base.removeprefix("http://")
    return Endpoints(base, stream, stream)
