"""`eternal doctor`, `status` and `stop`: what is wrong on this machine, and how to mend it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from api.tokens import read_token
from infra.config import EternalConfig

LEAST_FREE_GB = 2.0
MOST_CLOCK_MS = 1_000
STOP_TIMEOUT_S = 60.0


class RunningError(Exception):
    """No system runs on this data folder, or another one already does."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `text` says what is there and, when wrong, how to mend it."""

    what: str
    ok: bool
    text: str


@contextlib.contextmanager
def write_pid(config: EternalConfig) -> Iterator[None]:
    """Leave our process id where `stop` finds it. Raises RunningError when another system runs here."""
    path = config.data_folder / "pid"
    other = running_pid(config)
    if other is not None:
        raise RunningError(f"a system already runs on {config.data_folder} (process {other}); `eternal stop` ends it.")
    path.write_text(str(os.getpid()))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running_pid(config: EternalConfig) -> int | None:
    """The process id of the system on this data folder; None when none runs."""
    path = config.data_folder / "pid"
    if not path.exists():
        return None
    pid = int(path.read_text().strip() or 0)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, ValueError):
        return None
    except PermissionError:
        return pid
    return pid if pid and pid != os.getpid() else None


def stop_running(config: EternalConfig) -> str:
    """Ask the running system to end and wait for it. Raises RunningError."""
    pid = running_pid(config)
    if pid is None:
        raise RunningError(f"no system runs on {config.data_folder}.")
    os.kill(pid, signal.SIGINT)
    until, pause = time.monotonic() + STOP_TIMEOUT_S, threading.Event()
    while running_pid(config) is not None:
        if time.monotonic() > until:
            raise RunningError(f"process {pid} has not ended within {STOP_TIMEOUT_S:.0f} s; see its screen.")
        pause.wait(0.2)
    return f"The system on {config.data_folder} has ended."


def read_overview(config: EternalConfig) -> dict[str, Any]:
    """The overview of the running system from its API. Raises RunningError."""
    port = config.data_folder / "api-port"
    if running_pid(config) is None or not port.exists():
        raise RunningError(f"no system runs on {config.data_folder}; `eternal run` starts one.")
    headers = read_token(config.token_file).header()
    url = f"http://{config.api.host}:{port.read_text().strip()}/overview"
    try:
        answer = httpx.get(url, headers=headers, timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        raise RunningError(
            f"the API at {url} does not answer ({type(error).__name__}); try `eternal doctor`."
        ) from error
    if answer.status_code != 200:
        raise RunningError(f"the API at {url} answered with status {answer.status_code}: {answer.text[:200]}")
    overview: dict[str, Any] = answer.json()
    return overview


def examine(config: EternalConfig) -> list[Finding]:
    """Everything that is looked at, in the order in which a start needs it."""
    return [
        _disk(config),
        _running(config),
        *_ports(config),
        _database(config),
        _exchange(config),
        _keys(config),
    ]


def _disk(config: EternalConfig) -> Finding:
    folder = config.data_folder if config.data_folder.exists() else config.data_folder.absolute().parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    text = f"{free_gb:.1f} GB are free for {config.data_folder}"
    if free_gb < LEAST_FREE_GB:
        return Finding("disk", False, f"{text}; at least {LEAST_FREE_GB:.0f} GB are needed: free some space.")
    return Finding("disk", True, f"{text}.")


def _running(config: EternalConfig) -> Finding:
    pid = running_pid(config)
    if pid is None:
        return Finding("system", True, f"none runs on {config.data_folder}; `eternal run` starts one.")
    return Finding("system", True, f"runs on {config.data_folder} as process {pid}.")


def _ports(config: EternalConfig) -> list[Finding]:
    if running_pid(config) is not None:
        return []
    found = []
    for name, port in (("api.port", config.api.port), ("exchange.port", config.exchange.port)):
        if port:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                taken = bool(probe.connect_ex(("127.0.0.1", port)) == 0)
            text = f"{name} {port} is {'taken by another program: choose another one or 0' if taken else 'free'}."
            found.append(Finding("port", not taken, text))
    return found


def _database(config: EternalConfig) -> Finding:
    from infra.database.launch import open_database

    if running_pid(config) is not None:
        return Finding("database", True, "belongs to the running system; its health is in `eternal status`.")
    url = config.database.url.get_secret_value() if config.database.url is not None else None
    if url is None and not config.database_folder.exists():
        return Finding("database", True, "the embedded one is made at the first start.")
    try:
        open_database(url, config.database_folder, config.database.port).stop()
    except Exception as error:  # noqa: BLE001 - whatever is wrong is the finding
        return Finding("database", False, f"{type(error).__name__}: {error}")
    return Finding("database", True, "starts, and its tables are current.")


def _exchange(config: EternalConfig) -> Finding:
    if config.is_simulated:
        return Finding("exchange", True, "simulated on this machine; no clock and no keys are needed.")
    from infra.bybit.endpoints import endpoints

    url = endpoints(config.profile.value).rest + "/v5/market/time"
    try:
        before = time.time()
        answer = httpx.get(url, timeout=10)
        server_ms = int(answer.json()["time"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return Finding(
            "exchange", False, f"{url} does not answer as expected ({type(error).__name__}): check the network."
        )
    off_ms = round(server_ms - (before + time.time()) / 2 * 1000)
    if abs(off_ms) > MOST_CLOCK_MS:
        return Finding(
            "clock", False, f"is off by {off_ms} ms; at most {MOST_CLOCK_MS} ms are allowed: start chrony or ntpd."
        )
    return Finding("exchange", True, f"answers; our clock is off by {off_ms} ms.")


def _keys(config: EternalConfig) -> Finding:
    if config.is_simulated:
        return Finding("keys", True, "the simulated exchange makes its own.")
    from infra.bybit.credentials import CredentialsError, from_environment
    from statemachines.values import Account

    try:
        known = from_environment(os.environ).keys
    except CredentialsError as error:
        return Finding("keys", False, str(error))
    absent = [account.value for account in Account if account not in known]
    if absent:
        return Finding("keys", False, f"missing for {', '.join(absent)}: set BYBIT_<ACCOUNT>_API_KEY and _API_SECRET.")
    return Finding("keys", True, "there is one for each account.")
