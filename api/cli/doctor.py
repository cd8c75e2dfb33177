"""`eternal doctor`: what is wrong on this machine, and how to fix it."""

from __future__ import annotations

import os
import shutil
import socket
import time
from dataclasses import dataclass, replace

import httpx

from api.cli.asking.way import PORT_FILE, local_calls
from api.cli.status import database_url, running_pid
from api.client.errors import RefusedError, UnansweredError
from api.client.operations import Operations
from api.client.running_system import Place
from api.tokens import read_token
from infra.config import EternalConfig
from infra.proxy import proxy_for

MIN_FREE_GB = 2.0
MIN_MEMORY_GB = 4.0
MAX_CLOCK_MS = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `text` says what is there and, when wrong, how to fix it."""

    what: str
    ok: bool
    text: str


def examine(config: EternalConfig) -> list[Finding]:
    """Everything that is looked at, in the order in which a start needs it. Nothing is changed, in no database."""
    pid = running_pid(config.data_folder)
    return [
        _disk(config),
        _memory(),
        _token(config),
        _certificate(config),
        *([_system(config, pid)] if pid is not None else _ports(config)),
        _database(config, pid),
        _exchange(config),
        _keys(config),
        _dead_man(config),
    ]


def _disk(config: EternalConfig) -> Finding:
    folder = config.data_folder.absolute()
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return Finding("disk", False, f"{folder} cannot be written: choose another --data folder or its owner.")
    free_gb = shutil.disk_usage(folder).free / 1e9
    text = f"{free_gb:.1f} GB are free for {config.data_folder}"
    if free_gb < MIN_FREE_GB:
        return Finding("disk", False, f"{text}; at least {MIN_FREE_GB:.0f} GB are needed: free some space.")
    return Finding("disk", True, f"{text}.")


def _memory() -> Finding:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    total_gb = pages * size / 1e9
    if total_gb < MIN_MEMORY_GB:
        return Finding("memory", False, f"{total_gb:.1f} GB; at least {MIN_MEMORY_GB:.0f} GB are needed.")
    return Finding("memory", True, f"{total_gb:.1f} GB.")


def _token(config: EternalConfig) -> Finding:
    path = config.token_file
    if not path.exists():
        return Finding("token", True, f"{path} is not there; it is made at the next start or command.")
    if path.stat().st_mode & 0o077:
        return Finding("token", False, f"{path} can be read by others: chmod 600 {path}, and make a new one if unsure.")
    try:
        read_token(path)
    except (OSError, ValueError) as error:
        return Finding("token", False, str(error))
    return Finding("token", True, f"in {path}, readable by its owner only.")


def _certificate(config: EternalConfig) -> Finding:
    section = config.api
    if not section.is_encrypted:
        where = "this machine alone" if not section.is_reached_from_elsewhere else "the proxy, which talks TLS for it"
        return Finding("certificate", True, f"none is needed: the interface answers {where}.")
    from api.http.tls import CertificateError, certificate_of

    try:
        certificate_of(section.tls_certificate, section.tls_key)
    except CertificateError as error:
        return Finding("certificate", False, str(error))
    return Finding("certificate", True, f"{section.tls_certificate} fits its key.")


def _system(config: EternalConfig, pid: int) -> Finding:
    try:
        port = int((config.data_folder / PORT_FILE).read_text(encoding="ascii"))
        place = Place(config.data_folder, config.api.host, config.token_file, config.api.tls_certificate)
        verdict = Operations(local_calls(place, port)).health()
    except (UnansweredError, RefusedError, OSError, ValueError):
        text = f"runs as process {pid}, but its API does not answer: see `eternal status`."
        return Finding("system", False, text)
    if verdict["ok"]:
        return Finding("system", True, f"runs as process {pid} and is healthy.")
    return Finding("system", False, f"runs as process {pid} and is not well: {' '.join(verdict['reasons'])}")


def _ports(config: EternalConfig) -> list[Finding]:
    found = [Finding("system", True, f"none runs on {config.data_folder}; `eternal run` starts one.")]
    wanted = (
        ("api.port", config.api.port),
        ("exchange.port", config.exchange.port),
        ("database.port", config.database.port),
        ("ray.dashboard_port", config.ray.dashboard_port),
    )
    for name, port in wanted:
        if port:
            with socket.socket() as probe:
                is_taken = probe.connect_ex(("127.0.0.1", port)) == 0
            is_needed = name != "ray.dashboard_port"
            text = "free" if not is_taken else "taken by another program"
            if is_taken:
                text += ": choose another one, or 0 for any" if is_needed else "; another one will be used"
            found.append(Finding("port", not (is_taken and is_needed), f"{name} {port} is {text}."))
    return found


def _database(config: EternalConfig, pid: int | None) -> Finding:
    if config.database.url is not None:
        return _reachable(database_url(config), config)
    from infra.database.server.embedded import EmbeddedPostgres
    from infra.database.server.files import EmbeddedDatabaseError, reachable_home, server_user

    home = reachable_home(config.database_folder, server_user())
    where = f"Its files are in {home}."
    if pid is not None:
        found = _reachable(database_url(config), config)
        return replace(found, text=f"{found.text} {where}")
    if not home.exists():
        return Finding("database", True, f"the embedded one is made at the first start, in {home}.")
    server = EmbeddedPostgres(config.database_folder, config.database.port)
    try:
        found = _reachable(server.start(), config)
        return replace(found, text=f"{found.text} {where}")
    except EmbeddedDatabaseError as error:
        return Finding("database", False, str(error))
    finally:
        server.stop()


def _reachable(url: str, config: EternalConfig) -> Finding:
    """Whether the database answers and belongs to this profile; read only."""
    import psycopg

    from infra.database.connection import connect_for_reading
    from infra.database.urls import shown_url

    where = shown_url(url)
    try:
        with connect_for_reading(url, "doctor") as connection:
            owner = connection.execute("SELECT profile FROM installation").fetchone()
    except psycopg.errors.UndefinedTable:
        return Finding("database", True, f"{where} answers and is empty; its tables are made at the first start.")
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        return Finding("database", False, f"{where} does not answer ({reason}): start it, or fix DATABASE_URL.")
    if owner is not None and owner[0] not in (None, config.profile.value):
        text = f"{where} belongs to profile {owner[0]}, not to {config.profile.value}: give each its own."
        return Finding("database", False, text)
    weak = _undoing(config)
    return Finding("database", not weak, " ".join([f"{where} answers.", *weak]))


def _undoing(config: EternalConfig) -> list[str]:
    """How the login that we were given could undo what is append-only."""
    from infra.database.launch import undoing

    if config.database.url is None:
        return []
    owner = config.database.owner_url
    return undoing(config.database.url.get_secret_value(), None if owner is None else owner.get_secret_value())


def _exchange(config: EternalConfig) -> Finding:
    if config.is_simulated:
        return Finding("exchange", True, "simulated on this machine; no clock and no keys are needed.")
    from infra.bybit.endpoints import endpoints

    url = endpoints(config.profile.value, config.addresses.exchange).rest + "/v5/market/time"
    try:
        before = time.time()
        proxy = proxy_for(url, config.live.proxy())
        answer = httpx.get(url, timeout=10, trust_env=False, proxy=None if proxy is None else proxy.url)
        server_ms = int(answer.json()["time"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        why = " ".join(str(error).split()) if isinstance(error, httpx.HTTPError) else "it is not the exchange's answer"
        return Finding("exchange", False, f"{url} does not answer as expected ({why}): check the network.")
    off_ms = round(server_ms - (before + time.time()) / 2 * 1000)
    if abs(off_ms) > MAX_CLOCK_MS:
        return Finding(
            "clock", False, f"is off by {off_ms} ms; at most {MAX_CLOCK_MS} ms are allowed: start chrony or ntpd."
        )
    return Finding("exchange", True, f"answers; our clock is off by {off_ms} ms.")


def _keys(config: EternalConfig) -> Finding:
    if config.is_simulated:
        return Finding("keys", True, "the simulated exchange makes its own.")
    from infra.bybit.credentials import CredentialsError, from_environment
    from statemachines.values import Account

    try:
        credentials = from_environment(os.environ)
    except CredentialsError as error:
        return Finding("keys", False, str(error))
    absent = [account.value for account in Account if account not in credentials.keys]
    if absent:
        return Finding("keys", False, f"missing for {', '.join(absent)}: set BYBIT_<ACCOUNT>_API_KEY and _API_SECRET.")
    from api.assembly import TRADING
    from infra.bybit.admission import AdmissionError, admit
    from infra.bybit.endpoints import endpoints
    from infra.bybit.session import HttpSessions

    sessions = HttpSessions(
        credentials, endpoints(config.profile.value, config.addresses.exchange).rest, proxy=config.live.proxy()
    )
    try:
        admit(sessions, (Account.MASTER, *TRADING), credentials.uids(), config.market_data.linear_symbols)
    except AdmissionError as error:
        return Finding("keys", False, str(error))
    return Finding("keys", True, "one for each account, each able to do its work and none able to withdraw.")


def _dead_man(config: EternalConfig) -> Finding:
    what = "dead-man switch"
    if config.is_simulated:
        return Finding(what, True, "the simulated exchange makes its keys.")
    if not config.dead_man.started_by_run:
        return Finding(what, True, "is not started here; `eternal deadman` runs it on another machine.")
    from api.launch.deadman.guard import keys_problem
    from infra.bybit.credentials import DEAD_MAN, CredentialsError, from_environment

    try:
        credentials = from_environment(os.environ, DEAD_MAN)
    except CredentialsError as error:
        return Finding(what, False, str(error))
    if problem := keys_problem(credentials, config.profile):
        return Finding(what, False, problem)
    if not credentials.keys:
        return Finding(what, True, f"none: {DEAD_MAN}_<ACCOUNT>_API_KEY and _API_SECRET are not set.")
    from api.assembly import TRADING
    from infra.bybit.admission import AdmissionError, admit_dead_man
    from infra.bybit.endpoints import endpoints
    from infra.bybit.session import HttpSessions

    rest = endpoints(config.profile.value, config.addresses.exchange).rest
    try:
        admit_dead_man(HttpSessions(credentials, rest, proxy=config.live.proxy()), TRADING, credentials.uids())
    except AdmissionError as error:
        return Finding(what, False, str(error))
    return Finding(what, True, "has a key of its own for each account, able to cancel and not to withdraw.")
