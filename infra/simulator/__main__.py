"""``python -m infra.simulator``: run the simulated exchange on a state folder.

Prints one JSON line ``{"url": ..., "instance": ...}`` when it listens, then serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, NamedTuple

import uvloop

from infra.processes.parent import end_with_parent
from infra.simulator.config import SimConfig
from infra.simulator.credentials import load_or_create
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.fault_targets import check_scenario
from infra.simulator.faults.scenario import Occurrence, find
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.port import Market
from infra.simulator.market.synthetic import SyntheticMarket
from infra.simulator.market.ticks import TickMarket
from infra.simulator.server import make_app, start
from infra.simulator.venue.state import Venue
from infra.simulator.wall_clock import TICK_MS, WallClock, wall_ms

DAY_MS = 86_400_000
MARKET_FILE = "market.json"
SCENARIO_FILE = "scenario.json"
MAX_STRETCH = 3_600
LOCKSTEP, WALL = "lockstep", "wall"
MAX_SPEED = 3_600
DEFAULT_IMPACT = "0.0001"
LARGEST_IMPACT = Decimal("0.01")
SYNTHETIC_DAYS = 400
"""How long a synthetic market by the wall clock lasts unless `--to` says otherwise."""


class UsageError(ValueError):
    """The command line cannot be carried out; the message says why."""


def instant(text: str) -> int:
    """A UTC date (2024-01-31), date and time, or ms, as ms."""
    if text.isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def fraction(text: str) -> Decimal:
    """A price impact: a fraction from 0 to 0.01."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not value.is_finite() or not 0 <= value <= LARGEST_IMPACT:
        raise argparse.ArgumentTypeError(f"{text} is not in 0..{LARGEST_IMPACT}")
    return value


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.simulator", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="state folder; made when missing")
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0: a free one")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--history", type=Path, help="folder of history files")
    source.add_argument("--seed", type=int, help="seed of a synthetic market")
    parser.add_argument("--from", dest="start", type=instant, help="start of the tradable period, UTC day")
    parser.add_argument("--to", dest="end", type=instant, help="end of the tradable period, exclusive, UTC day")
    parser.add_argument(
        "--clock", choices=(LOCKSTEP, WALL), help="who moves time: the client, or the clock on the wall"
    )
    parser.add_argument("--speed", type=int, help="market seconds in a second of wall time (--clock wall; default 1)")
    parser.add_argument("--fill-spread-ticks", type=int, help="ticks from the last price to bid and ask (default 1)")
    parser.add_argument(
        "--impact", type=fraction, help="how far a market order of 0.1 %% of the hourly volume moves the price, as a "
        f"fraction; 0: a flat book (default: {DEFAULT_IMPACT} by the wall clock, 0 in lockstep)",
    )  # fmt: skip
    parser.add_argument("--ack-delay-ms", type=int, default=50, help="delay of WebSocket subscription acks")
    parser.add_argument("--no-rate-limits", action="store_true", help="count requests but refuse none")
    parser.add_argument("--dcp", action="store_true", help="accounts may use disconnection protection (DCP)")
    parser.add_argument("--account", action="append", default=[], help="a further sub-account; may be repeated")
    parser.add_argument("--scenario", help="faults over time: the name of a shipped scenario, or a TOML file")
    parser.add_argument(
        "--scenario-stretch", type=int, default=1, help="times of the scenario are so many times as long (default 1)"
    )
    parser.add_argument("--end-with-parent", action="store_true", help="stop when the starting process dies (Linux)")
    return parser.parse_args(argv)


def _described(market: Mapping[str, Any]) -> str:
    """A market as its options, days as dates."""
    days = {name: _day(market[name]) for name in ("from", "to") if market.get(name) is not None}
    named = ("seed", "history", "fill_spread", "clock", "speed", "impact")
    options = {**days, **{name: market[name] for name in named if market.get(name) is not None}}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in options.items()) or "its default"


def _day(market_ms: int) -> str:
    return datetime.fromtimestamp(market_ms / 1000, UTC).date().isoformat()


class Chosen(NamedTuple):
    """A market, its spread in ticks, its clock (None: lockstep), and its price impact (0: a flat book)."""

    market: Market
    spread: int
    clock: WallClock | None
    impact: Decimal = Decimal(0)


def choose_market(arguments: argparse.Namespace, folder: Path) -> Chosen:
    """The market of the command line, its spread and clock; a folder in use keeps those it was started with."""
    asked: dict[str, Any] = {"from": arguments.start, "to": arguments.end, "fill_spread": arguments.fill_spread_ticks}
    asked |= {"clock": arguments.clock, "speed": arguments.speed}
    asked["impact"] = None if arguments.impact is None else str(arguments.impact)
    if arguments.history is not None:
        asked["history"] = str(arguments.history.resolve())
    elif arguments.seed is not None:
        asked["seed"] = arguments.seed
    path = folder / MARKET_FILE
    if path.exists():
        # Folders of earlier versions say nothing of the clock and have a flat book.
        known: dict[str, Any] = {"clock": LOCKSTEP, "impact": "0", **json.loads(path.read_text())}
        if any(value is not None and value != known.get(name) for name, value in asked.items()):
            raise UsageError(
                f"The state folder belongs to the market {_described(known)}; {_described(asked)} is asked for. Choose "
                "another data folder for another market, or discard this one's state (eternal reset)."
            )
    else:
        known = _new(asked)
    market: HistoryMarket | SyntheticMarket
    if "history" in known:
        market = HistoryMarket(Path(known["history"]), known["from"], known["to"])
    elif "seed" not in known:
        raise UsageError("A new state folder needs --history DIR or --seed N.")
    elif known["from"] is None or known["to"] is None:
        raise UsageError("A synthetic market (--seed) needs --from and --to.")
    else:
        market = SyntheticMarket(known["seed"], known["from"], (known["to"] - known["from"]) // DAY_MS)
    path.write_text(json.dumps(known))
    impact = Decimal(known["impact"])
    if known.get("clock") != WALL:
        return Chosen(market, known["fill_spread"], None, impact)
    anchor_ms: int = known["anchor_ms"]
    # The first day of the market is the day on which the folder was opened.
    shift_ms = anchor_ms - anchor_ms % DAY_MS - market.start_ms
    ticking = TickMarket(market, TICK_MS, shift_ms, known.get("seed", 0))
    return Chosen(ticking, known["fill_spread"], WallClock(anchor_ms, known["speed"]), impact)


def speed_of(asked: int | None) -> int:
    """Market seconds in a second of wall time; 1 when nothing is asked. Raises UsageError."""
    speed = 1 if asked is None else asked
    if speed not in range(1, MAX_SPEED + 1):
        raise UsageError(f"--speed is {speed}; it must be 1 to {MAX_SPEED}.")
    return speed


def _new(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a new folder is opened with."""
    known = {**asked, "fill_spread": asked["fill_spread"] or 1, "clock": asked["clock"] or LOCKSTEP}
    known["impact"] = asked["impact"] or (DEFAULT_IMPACT if asked["clock"] == WALL else "0")
    if asked["clock"] != WALL:
        if asked["speed"] is not None:
            raise UsageError("--speed is for --clock wall only; in lockstep the client moves time.")
        return known
    now_ms = wall_ms()
    known |= {"speed": speed_of(asked["speed"]), "anchor_ms": now_ms}
    if "seed" in asked and known["from"] is None:
        known["from"] = now_ms - now_ms % DAY_MS
    if "seed" in asked and known["to"] is None:
        known["to"] = known["from"] + SYNTHETIC_DAYS * DAY_MS
    return known


def _lock(folder: Path) -> IO[str]:
    """One process a folder: held until the process ends, also when it is killed."""
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"Another exchange is running on the state folder {folder}.") from None
    return file


class Faults(NamedTuple):
    """The occurrences of a scenario and the seed of their chances."""

    occurrences: Sequence[Occurrence] = ()
    seed: int = 0


def choose_faults(arguments: argparse.Namespace, folder: Path, now_ms: int, venue: Venue) -> Faults:
    """The scenario of the command line from ``now_ms`` (exchange time) on. The same scenario on a folder in use goes
    on where it was; without one what is left of an earlier one is dropped."""
    path = folder / SCENARIO_FILE
    if arguments.scenario is None:
        path.unlink(missing_ok=True)
        return Faults()
    if not 1 <= arguments.scenario_stretch <= MAX_STRETCH:
        raise UsageError(f"--scenario-stretch is {arguments.scenario_stretch}; it must be 1 to {MAX_STRETCH}.")
    scenario = find(arguments.scenario)
    asked = {"scenario": scenario.model_dump(mode="json"), "stretch": arguments.scenario_stretch}
    known = json.loads(path.read_text()) if path.exists() else {}
    if {name: known.get(name) for name in asked} != asked:
        check_scenario(scenario, venue, now_ms)
        known = {**asked, "began_ms": now_ms}
        path.write_text(json.dumps(known))
    return Faults(scenario.occurrences(known["began_ms"], arguments.scenario_stretch), scenario.seed)


async def _serve(
    durable: DurableExchange, arguments: argparse.Namespace, config: SimConfig, folder: Path, faults: Faults
) -> None:
    credentials = load_or_create(folder)
    runner, url = await start(make_app(durable, credentials, config, *faults), arguments.port)
    sys.stdout.write(json.dumps({"url": url, "instance": credentials.instance}) + "\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    await stop.wait()
    await runner.cleanup()


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped; returns the exit code."""
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    if arguments.end_with_parent:
        end_with_parent(signal.SIGTERM)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    folder: Path = arguments.state
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        lock = _lock(folder)
        market, spread, clock, impact = choose_market(arguments, folder)
        config = SimConfig(
            spread_ticks=max(spread, 1),  # folders of earlier versions say 0
            slippage=impact,
            deep_book=impact > 0,
            rate_limits=not arguments.no_rate_limits,
            dcp=arguments.dcp,
            ack_delay_ms=arguments.ack_delay_ms,
            tick_ms=None if clock is None else TICK_MS,
        )
        durable = DurableExchange(folder, market, config, load_or_create(folder, arguments.account), clock=clock)
        now_ms = durable.exchange.market_time if clock is None else clock.now_ms()
        faults = choose_faults(arguments, folder, now_ms, durable.exchange.venue)
    except ValueError as error:
        logging.getLogger("infra.simulator").error("%s", error)
        return 2
    with lock, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(durable, arguments, config, folder, faults))
    return 0


if __name__ == "__main__":
    sys.exit(main())
