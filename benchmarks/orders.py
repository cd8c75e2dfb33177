"""EX-7: orders from an engine's signal to the exchange's acknowledgement, durably recorded.

The whole system runs under Ray on PostgreSQL and the simulated exchange; market time does not advance. Engines signal
as deadlines of their own clock come due, or all at once; everything behind them is the real system with its shipped
defaults: durable actors, risk manager, order manager, one request queue per account, pybit. Peers in the same run: bare
pybit, single orders and batches of 20.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from pybit.unified_trading import HTTP

from api.launch.ray_process import LOOPBACK_SETTINGS
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
from benchmarks.order_books import FINAL, exchange_orders, judged, our_orders, session_of
from benchmarks.order_probe import (
    DENIED,
    DUE,
    MAX_ORDERS_PER_MINUTE,
    QUANTITY,
    STAGES,
    SYMBOL,
    OrderAssembly,
    StampReader,
    Stamps,
)
from benchmarks.processes import roles
from benchmarks.stalls import Machine, beside, episodes, lines
from statemachines.execution.orders.request_queue import MAX_BATCH
from statemachines.messages.control import OperatorCommand
from statemachines.values import ACCOUNT_OF, LINEAR, Account, ActorName

ENGINES = (ActorName.TREND_2, ActorName.FUNDING, ActorName.TREND_1)
STANDING_STILL = "86400"
"""Wall seconds per market day: no hour passes during the run."""

ACKNOWLEDGED = STAGES[-1]
SHOWN_ROLES = 12
PATIENCE_S = 300.0
LIMIT_MS = 250.0
"""EX-7's p99; orders above it are shown by episode."""

PEERS_ORDERS = 200
"""Where there is no burst whose size the peer takes."""

KILL_AT_SHARE = 0.2
"""Part of the burst that is acknowledged when the order manager is killed."""

OVERRIDES = (
    f"risk.max_orders_per_minute {MAX_ORDERS_PER_MINUTE:,} (RM-1's breaker of 120 orders a minute and engine would "
    "deny the load itself)",
    "no rate limits of the venue (the paper profile's own default: the simulated exchange enforces none)",
)
PROBES = (
    "engines that signal on command, at even intervals of their own clock or all at once, in place of their own "
    "decisions; no lockstep driver; market time stands still for all others",
    "stamps and stopwatches around every port",
)
RAISED = (
    "the engines' leverage and order size limits (TR-9, RM-1, FU-7) raised: the paper capital cannot carry a burst of "
    "this size pending at once"
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orders", description=__doc__)
    parser.add_argument("--rate", type=int, default=100, help="signals a second in the steady part; 0: none")
    parser.add_argument("--seconds", type=int, default=60, help="length of the steady part")
    parser.add_argument("--burst", type=int, default=1000, help="signals of one instant in the burst; 0: none")
    parser.add_argument("--kill", action="store_true", help="kill the order manager in the middle of one more burst")
    parser.add_argument("--raise-leverage", action="store_true", help="for bursts that the paper capital cannot carry")
    parser.add_argument(
        "--accounts",
        type=int,
        default=len(ENGINES),
        choices=(1, 2, 3),
        help="engines that signal, each with its own account and request queue",
    )
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    print_machine("Orders: from the signal to the exchange's acknowledgement, durably recorded (EX-7)")
    for text in OVERRIDES + ((RAISED,) if options.raise_leverage else ()):
        print(f"override  {text}")
    for text in PROBES:
        print(f"probe     {text}")
    print()
    parts: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    accounts = f"{options.accounts} account{'s' if options.accounts > 1 else ''}"
    for _ in range(options.runs):
        with _system(ENGINES[: options.accounts], options.raise_leverage) as load:
            if options.rate and options.seconds:
                title = f"steady: {options.rate} signals/s for {options.seconds} s, {accounts}"
                parts[title].append(load.measured(lambda: load.steady(options.rate, options.seconds)))
            if options.burst:
                title = f"burst: {options.burst} signals together, {accounts}"
                parts[title].append(load.measured(lambda: load.signal(options.burst)))
            if options.kill and options.burst:
                title = f"order manager killed in the middle of a burst of {options.burst}, {accounts}"
                parts[title].append(load.killed(options.burst))
        for title, figure in measure_bare_pybit(min(options.burst, 1000) or PEERS_ORDERS).items():
            parts[title].append(figure)
    for title, runs in parts.items():
        print_runs(title, runs, 2)


@contextmanager
def _system(engines: tuple[ActorName, ...], is_raised: bool) -> Iterator[Load]:
    with temporary_folder() as folder, temporary_folder() as stamps:
        config = make_config(folder, STANDING_STILL)
        with running(config, lambda assembly: OrderAssembly.of(assembly, stamps, engines, is_raised)) as system:
            try:
                yield Load(system, stamps, engines)
            finally:
                import ray

                ray.shutdown()  # a driver whose cluster has gone ends this process


Costs = tuple[Sums, dict[str, float]]
"""The order manager's ports and the processor seconds by role so far."""


class Load:
    """Commands engines to signal and measures what becomes of the signals."""

    def __init__(self, system: MeasuredSystem, stamps: Path, engines: tuple[ActorName, ...]) -> None:
        self._system = system
        self._stamps = stamps
        self._reader = StampReader(stamps)
        self._engines = engines
        self._commands = self._sent = 0
        self._actors = _join_ray(system, engines)
        self.signal(len(engines))  # leverage, sessions and prepared statements exist afterwards
        self._await_acknowledged()

    def signal(self, number: int) -> None:
        """Send this number of signals together, spread over the engines."""
        share, rest = divmod(number, len(self._actors))
        for place in range(len(self._actors)):
            number_here = share + (1 if place < rest else 0)
            self._order(place, str(number_here), number_here)

    def steady(self, rate: int, seconds: int) -> None:
        """Have every engine signal at even intervals, by its own clock, and wait until all have signalled."""
        number, engines = rate * seconds, len(self._actors)
        for place in range(engines):
            share = number // engines + (1 if place < number % engines else 0)
            self._order(place, f"{rate / engines} {share}", share)
        wait("the last signal", lambda: len(self._reader.read()["signal"]) >= self._sent, seconds + PATIENCE_S, 0.5)

    def measured(self, load: Callable[[], None]) -> Mapping[str, float]:
        """Rate, latency and cost of a load, once all of it is acknowledged."""
        before, machine, begun = self._costs(), Machine.now(), time.monotonic()
        load()
        self._await_acknowledged()
        after = self._costs()  # by then every process has written its stamps
        stamps = _since(self._reader.read(), begun)
        found = figures(stamps)
        print(f"measured: {found}", flush=True)  # a later part may fail
        print("\n".join(lines(episodes(stamps, LIMIT_MS), len(stamps[ACKNOWLEDGED]), LIMIT_MS)), flush=True)
        used_s = {role: seconds - before[1].get(role, 0.0) for role, seconds in after[1].items()}
        cost = _per_order(between({"": before[0]}, {"": after[0]})[""], used_s, found["acknowledged"])
        return found | cost | beside(machine, Machine.now(), used_s)

    def killed(self, number: int) -> Mapping[str, float]:
        """Kill the order manager in the middle of a burst; when all is at rest, judge by the exchange's own list."""
        begun = time.monotonic()
        self.signal(number)
        until = len(self._reader.read()[ACKNOWLEDGED]) + int(number * KILL_AT_SHARE)
        wait("a part of the burst", lambda: len(self._reader.read()[ACKNOWLEDGED]) >= until, every_s=0.05)
        pid = next(pid for pid, role in roles(self._system).items() if role == f"actor: {ActorName.ORDER_MANAGER}")
        killed_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait("the end of all orders after the kill", self._is_at_rest, PATIENCE_S, every_s=0.5)
        rested_at = time.monotonic()
        found = _since(self._reader.read(), begun)
        exchange = self._system.exchange
        assert exchange is not None
        intents = list(found["approval durable"])
        verdict = {"lost": 0.0, "doubled": 0.0, "orders whose records differ": 0.0}
        ours = our_orders(self._system.database_url, self._engines)
        for engine in self._engines:
            account = ACCOUNT_OF[engine]
            theirs = exchange_orders(session_of(exchange.url, exchange.keys_file, account))
            kept = {link: one for link, one in ours.items() if one.intent_id.startswith(engine)}
            found_here = judged(kept, theirs, [one for one in intents if one.startswith(engine)])
            for name, count in zip(verdict, found_here, strict=True):
                verdict[name] += count
        before_kill = [at for at in found[ACKNOWLEDGED].values() if at < killed_at]
        return {
            "signals": float(number),
            "acknowledged before the kill": float(len(before_kill)),
            "approved": float(len(intents)),
            "from the kill to the last order's end, s": rested_at - killed_at,
            **verdict,
        }

    def _order(self, place: int, what: str, number: int) -> None:
        """Command an engine to signal this number of times."""
        import ray

        if not number:
            return
        self._commands += 1
        self._sent += number
        command_id = f"benchmark:{self._commands}"
        body = OperatorCommand(command_id=command_id, who="benchmark", action="normal", scope="", reason=what)
        actor = self._actors[place]
        assert actor is not None
        done = actor.command.remote(OperatorCommand.KIND, body.model_dump(mode="json"), command_id)
        ray.get(done, timeout=PATIENCE_S)

    def _await_acknowledged(self, until: int | None = None, every_s: float = 0.25) -> None:
        """Until so many intents (default: all) are acknowledged or denied by the risk manager."""
        wanted = self._sent if until is None else until

        def is_done() -> bool:
            found = self._reader.read()
            return len(found[ACKNOWLEDGED].keys() | found[DENIED].keys()) >= wanted

        wait(f"the acknowledgement of {wanted} orders", is_done, PATIENCE_S, every_s)

    def _is_at_rest(self) -> bool:
        ours = our_orders(self._system.database_url, self._engines)
        ended = {one.intent_id for one in ours.values() if one.state in FINAL}
        found = self._reader.read()
        return len(ended) >= len(found["approval durable"]) and len(found["signal"]) == self._sent

    def _costs(self) -> Costs:
        time.sleep(2 * WRITE_EVERY_S)  # the meters' files are at most this old
        processor: dict[str, float] = defaultdict(float)
        for pid, role in roles(self._system).items():
            processor[role] += processor_seconds(pid)
        return read_meters(self._stamps, ".meter").get(str(ActorName.ORDER_MANAGER), {}), processor


def _per_order(ports: Sums, used_s: Mapping[str, float], orders: float) -> dict[str, float]:
    """The cost of one order in its request queue and in the processes; `used_s` are processor seconds by role."""
    calls = {label: ports.get(label, (0, 0.0)) for label in ("batch place_order", "request place_order")}
    found = {"orders per request to the exchange": orders / max(sum(count for count, _s in calls.values()), 1)}
    found["orders per transaction of the order manager"] = orders / max(ports.get("transaction", (0, 0.0))[0], 1)
    for label in ("fencing check", *calls, "transaction"):
        count, seconds = ports.get(label, (0, 0.0))
        found[f"  in the order manager: {label}, mean ms"] = seconds * 1000 / max(count, 1)
    used = {role: seconds * 1000 / orders for role, seconds in used_s.items()}
    found["processor time of all processes per order, ms"] = sum(used.values())
    largest = sorted(used.items(), key=lambda one: -one[1])[:SHOWN_ROLES]
    return found | {f"  of it {role}, ms": spent for role, spent in largest}


def _join_ray(system: MeasuredSystem, engines: tuple[ActorName, ...]) -> list[Any]:
    """The engines' actors. The launch process is not part of Ray, so the benchmark connects as a separate driver; Ray
    reads its settings when it is imported."""
    os.environ |= {**LOOPBACK_SETTINGS, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(system.ray.token_file)}
    import ray

    from actors.runtime.ray_runtime import NAMESPACE, find

    if ray.is_initialized():
        ray.shutdown()
    ray.init(address=system.ray.address, namespace=NAMESPACE, log_to_driver=False)
    return [find(name) for name in engines]


def figures(stamps: Stamps) -> dict[str, float]:
    """Rate and latency of the intents of one part."""
    signals, acknowledged = stamps["signal"], stamps[ACKNOWLEDGED]
    if not acknowledged:
        raise SystemExit(f"None of {len(signals)} signals was acknowledged; {len(stamps[DENIED])} were denied.")
    waits = [(acknowledged[name] - signals[name]) * 1000 for name in acknowledged]
    lasted = max(acknowledged.values()) - min(signals.values())
    found = {
        "signals": float(len(signals)),
        "acknowledged": float(len(acknowledged)),
        "denied by the risk manager": float(len(stamps[DENIED])),
        "acknowledged per second, from the first signal to the last": len(acknowledged) / lasted,
        "latency p50, ms": percentile(waits, 0.50),
        "latency p95, ms": percentile(waits, 0.95),
        "latency p99, ms": percentile(waits, 0.99),
        "latency max, ms": max(waits),
    }
    if stamps[DUE]:
        late = [(signals[name] - due) * 1000 for name, due in stamps[DUE].items() if name in signals]
        found["signals behind their schedule, p50 ms"] = percentile(late, 0.50)
        found["signals behind their schedule, p99 ms"] = percentile(late, 0.99)
    for before, after in pairwise(STAGES):
        parts = [(stamps[after][name] - stamps[before][name]) * 1000 for name in acknowledged if name in stamps[before]]
        found[f"  of it {before} → {after}, p50 ms"] = percentile(parts, 0.50)
    return found


def _since(stamps: Stamps, first: float) -> Stamps:
    """The stamps of the intents signalled since an instant."""
    names = {name for name, instant in stamps["signal"].items() if first <= instant}
    return {stage: {name: at for name, at in found.items() if name in names} for stage, found in stamps.items()}


def measure_bare_pybit(number: int) -> Mapping[str, Mapping[str, float]]:
    """The same orders by pybit alone, on a separate exchange, with nothing recorded by us."""
    with temporary_folder() as folder:
        exchange = SimulatorProcess(make_config(folder))
        try:
            url = exchange.start()
            session = session_of(url, exchange.keys_file, Account.TREND_2)
            session.set_leverage(category=LINEAR, symbol=SYMBOL, buyLeverage="2", sellLeverage="2")
            single = [_timed(lambda place=place: session.place_order(category=LINEAR, **_order(place)))  # type: ignore[misc]
                      for place in range(number)]  # fmt: skip
            size = MAX_BATCH[LINEAR]
            batches = [
                _timed(lambda first=first: _place_batch(session, range(first, first + size)))  # type: ignore[misc]
                for first in range(number, 2 * number, size)
            ]
        finally:
            exchange.stop()
    return {
        "peer: bare pybit, one session, one request after another": {
            "orders": float(number),
            "acknowledged per second": number / (sum(single) / 1000),
            "latency p50, ms": percentile(single, 0.50),
            "latency p99, ms": percentile(single, 0.99),
        },
        f"peer: bare pybit, one session, batches of {size}": {
            "orders": float(len(batches) * size),
            "acknowledged per second": len(batches) * size / (sum(batches) / 1000),
            "latency p50, ms": percentile(batches, 0.50),
            "latency p99, ms": percentile(batches, 0.99),
        },
    }


def _order(number: int) -> dict[str, str]:
    side = "Sell" if number % 2 else "Buy"
    return {
        "symbol": SYMBOL,
        "side": side,
        "orderType": "Market",
        "qty": str(QUANTITY),
        "orderLinkId": f"bare-{number}",
    }


def _place_batch(session: HTTP, numbers: range) -> None:
    answer = session.place_batch_order(category=LINEAR, request=[_order(number) for number in numbers])
    refused = [one for one in answer["retExtInfo"]["list"] if one["code"]]
    assert not refused, refused[0]


def _timed(call: Callable[[], object]) -> float:
    """How long a call takes, ms."""
    begun = time.monotonic()
    call()
    return (time.monotonic() - begun) * 1000


if __name__ == "__main__":
    main()
