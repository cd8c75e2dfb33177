"""EX-7: orders from an engine's signal to the exchange's acknowledgement, durably recorded.

The whole system runs under Ray on PostgreSQL and the simulated exchange; market time does not advance. One engine (or
`--accounts` of them) signals on command; everything behind it is the real system: shells, risk manager, order manager,
one request queue per account, pybit. The order rate limit (RM-1) and the leverage limits are raised; the paper exchange
enforces no rate limit. The peer in the same run: bare pybit, one request after another, against the same exchange.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import ray
from pybit.unified_trading import HTTP

from actors.runtime.ray_runtime import NAMESPACE, find
from api.launch.simulator_process import SimulatorProcess
from benchmarks.common import (
    MeasuredSystem,
    make_config,
    percentile,
    print_machine,
    print_runs,
    running,
    temporary_folder,
    wait,
)
from benchmarks.meters import WRITE_EVERY_S, Sums, between, processor_seconds, read_meters
from benchmarks.order_probe import QUANTITY, STAGES, SYMBOL, OrderAssembly, Stamps, read_stamps
from benchmarks.processes import roles
from infra.bybit.credentials import from_simulator
from infra.config import EternalConfig
from statemachines.messages.control import OperatorCommand
from statemachines.values import LINEAR, Account, ActorName

ENGINES = (ActorName.TREND_1, ActorName.TREND_2, ActorName.FUNDING)
STANDING_STILL = "86400"
"""Wall seconds per market day: no hour passes during the run."""

ACKNOWLEDGED = STAGES[-1]
PATIENCE_S = 300.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orders", description=__doc__)
    parser.add_argument("--rate", type=int, default=100, help="signals a second in the steady part")
    parser.add_argument("--seconds", type=int, default=60, help="length of the steady part")
    parser.add_argument("--burst", type=int, default=1000, help="signals of one instant in the burst")
    parser.add_argument(
        "--accounts",
        type=int,
        default=1,
        choices=(1, 2, 3),
        help="engines that signal, each with its own request queue",
    )
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    print_machine("Orders: from the signal to the exchange's acknowledgement, durably recorded (EX-7)")
    steady, burst, peer = [], [], []
    for _ in range(options.runs):
        one, other = measure(options.rate, options.seconds, options.burst, ENGINES[: options.accounts])
        steady.append(one)
        burst.append(other)
        peer.append(measure_bare_pybit(min(options.burst, 1000)))
    print_runs(f"steady: {options.rate} signals/s for {options.seconds} s, {options.accounts} account(s)", steady, 1)
    print_runs(f"burst: {options.burst} signals together, {options.accounts} account(s)", burst, 1)
    print_runs("peer: bare pybit, one session, one request after another", peer, 1)
    print("The limit: each account's request queue sends one request per order and waits for the response, after a")
    print(
        "fencing check in the database; compare both with the peer's latency. In the order manager's process the queue"
    )
    print("shares Python's lock with the worker and the streams, and all processes share the machine's cores.")
    print("Batch requests (10 spot, 20 linear orders each) are not built yet.")


def measure(rate: int, seconds: int, burst: int, engines: tuple[ActorName, ...]) -> tuple[dict[str, float], ...]:
    """The steady part and the burst on one system."""
    with temporary_folder() as folder:
        stamps = folder / "stamps"
        stamps.mkdir()
        config = make_config(folder, STANDING_STILL)
        with running(config, lambda assembly: OrderAssembly.of(assembly, stamps, engines)) as system:
            signaller = _Signaller(system, engines)
            signaller.signal(len(engines))  # leverage, sessions and prepared statements exist afterwards
            _await_all(stamps, signaller.sent)
            costs = [_costs(system, stamps)]
            steady_from = time.monotonic()
            signaller.steady(rate, seconds)
            _await_all(stamps, signaller.sent)
            costs.append(_costs(system, stamps))
            burst_from = time.monotonic()
            signaller.signal(burst)
            _await_all(stamps, signaller.sent)
            costs.append(_costs(system, stamps))
            found = read_stamps(stamps)
    steady = figures(_since(found, steady_from, burst_from)) | _per_order(costs[0], costs[1])
    return steady, figures(_since(found, burst_from, float("inf"))) | _per_order(costs[1], costs[2])


Costs = tuple[Sums, float]
"""The order manager's ports and the processor seconds of all processes so far."""


def _costs(system: MeasuredSystem, folder: Path) -> Costs:
    time.sleep(2 * WRITE_EVERY_S)  # the meters' files are at most this old
    processor = sum(processor_seconds(pid) for pid in roles(system))
    return read_meters(folder, ".meter").get(str(ActorName.ORDER_MANAGER), {}), processor


def _per_order(before: Costs, after: Costs) -> dict[str, float]:
    """The cost of one order in its request queue and in all processes together."""
    ports = between({"": before[0]}, {"": after[0]})[""]
    orders = ports["request place_order"][0]
    found = {
        f"  in its request queue: {label}, mean ms": ports[label][1] * 1000 / max(ports[label][0], 1)
        for label in ("fencing check", "request place_order")
    }
    return found | {"processor time of all processes per order, ms": (after[1] - before[1]) * 1000 / orders}


def _join_ray(system: MeasuredSystem) -> None:
    """The launch process is not part of Ray, so the benchmark connects as a separate driver."""
    if ray.is_initialized():
        ray.shutdown()
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(system.ray.token_file)}
    ray.init(address=system.ray.address, namespace=NAMESPACE, log_to_driver=False)


class _Signaller:
    """Makes engines signal by commands, in turn."""

    def __init__(self, system: MeasuredSystem, engines: tuple[ActorName, ...]) -> None:
        self.sent = 0
        _join_ray(system)
        self._actors = [find(name) for name in engines]
        self._commands = 0

    def signal(self, number: int) -> None:
        """Send this number of signals together, spread over the engines."""
        share, rest = divmod(number, len(self._actors))
        for place in range(len(self._actors)):
            self._command(place, share + (1 if place < rest else 0))

    def steady(self, rate: int, seconds: int) -> None:
        """Send one signal after another at even intervals."""
        begun = time.monotonic()
        for number in range(rate * seconds):
            time.sleep(max(begun + number / rate - time.monotonic(), 0.0))
            self._command(number % len(self._actors), 1)

    def _command(self, place: int, number: int) -> None:
        if not number:
            return
        self._commands += 1
        self.sent += number
        command_id = f"benchmark:{self._commands}"
        body = OperatorCommand(command_id=command_id, who="benchmark", action="normal", scope="", reason=str(number))
        actor = self._actors[place]
        assert actor is not None
        sent = actor.command.remote(OperatorCommand.KIND, body.model_dump(mode="json"), command_id)
        if number > 1:
            ray.get(sent, timeout=PATIENCE_S)


def figures(stamps: Stamps) -> dict[str, float]:
    """Rate and latency of the intents of one part."""
    signals, acknowledged = stamps["signal"], stamps[ACKNOWLEDGED]
    waits = [(acknowledged[name] - signals[name]) * 1000 for name in acknowledged]
    lasted = max(acknowledged.values()) - min(signals.values())
    found = {
        "signals": float(len(signals)),
        "acknowledged": float(len(acknowledged)),
        "acknowledged per second, from the first signal to the last": len(acknowledged) / lasted,
        "latency p50, ms": percentile(waits, 0.50),
        "latency p95, ms": percentile(waits, 0.95),
        "latency p99, ms": percentile(waits, 0.99),
        "latency max, ms": max(waits),
    }
    for before, after in pairwise(STAGES):
        parts = [(stamps[after][name] - stamps[before][name]) * 1000 for name in acknowledged if name in stamps[before]]
        found[f"  of it {before} → {after}, p50 ms"] = percentile(parts, 0.50)
    return found


def _since(stamps: Stamps, first: float, end: float) -> Stamps:
    """The stamps of the intents signalled in a span of time."""
    names = {name for name, instant in stamps["signal"].items() if first <= instant < end}
    return {stage: {name: at for name, at in found.items() if name in names} for stage, found in stamps.items()}


def _await_all(stamps: Path, sent: int) -> None:
    def is_done() -> bool:
        return len(read_stamps(stamps)[ACKNOWLEDGED]) >= sent

    wait(f"the acknowledgement of {sent} orders", is_done, PATIENCE_S, every_s=0.25)


def measure_bare_pybit(number: int) -> Mapping[str, float]:
    """The same orders by pybit alone, on a separate exchange, with nothing recorded by us."""
    with temporary_folder() as folder:
        exchange = SimulatorProcess(_bare_config(folder))
        try:
            url = exchange.start()
            key = from_simulator(exchange.keys_file).key(Account.TREND_1)
            session = HTTP(api_key=key.api_key.get_secret_value(), api_secret=key.api_secret.get_secret_value())
            session.endpoint = url
            session.client.trust_env = False
            session.set_leverage(category=LINEAR, symbol=SYMBOL, buyLeverage="2", sellLeverage="2")
            waits = [_place(session, place) for place in range(number)]
        finally:
            exchange.stop()
    return {
        "orders": float(number),
        "acknowledged per second": number / (sum(waits) / 1000),
        "latency p50, ms": percentile(waits, 0.50),
        "latency p95, ms": percentile(waits, 0.95),
        "latency p99, ms": percentile(waits, 0.99),
    }


def _place(session: HTTP, number: int) -> float:
    begun = time.monotonic()
    session.place_order(
        category=LINEAR,
        symbol=SYMBOL,
        side="Sell" if number % 2 else "Buy",
        orderType="Market",
        qty=str(QUANTITY),
        orderLinkId=f"bare-{number}",
    )
    return (time.monotonic() - begun) * 1000


def _bare_config(folder: Path) -> EternalConfig:
    return make_config(folder)


if __name__ == "__main__":
    main()
