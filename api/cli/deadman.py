"""`eternal deadman`: the dead-man switch on another machine than the system's, where it belongs in profile live."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from infra.config import EternalConfig
from infra.faults import OperatorError


class DeadManError(OperatorError):
    """The dead-man switch cannot watch from here; the text says what is missing."""


def watch_from_elsewhere(config: EternalConfig) -> None:
    """Watch the database of the configuration until Ctrl-C or SIGTERM.

    Raises:
        DeadManError: the configuration lacks what it needs, or its exchange is this machine's own.
        CredentialsError, AdmissionError: its keys are missing, incomplete, or do not fit.
        WatchedError: another one watches on this data folder.
    """
    from api.assembly import TRADING
    from infra.bybit.admission import admit_dead_man
    from infra.bybit.credentials import DEAD_MAN, from_environment
    from infra.bybit.endpoints import endpoints
    from infra.bybit.session import HttpSessions
    from infra.deadman.__main__ import FORMAT
    from infra.deadman.process import Place, watch

    if config.is_simulated:
        raise DeadManError(
            "profile paper has its own dead-man switch: its exchange is this machine's; profile must be demo, testnet "
            "or live here."
        )
    if config.database.url is None:
        raise DeadManError(
            "database.url (DATABASE_URL) is not set; the dead-man switch reads the beats from the system's database."
        )
    credentials = from_environment(os.environ, DEAD_MAN)
    absent = [account.value for account in TRADING if account not in credentials.keys]
    if absent:
        raise DeadManError(
            f"there is no key for {', '.join(absent)}: set {DEAD_MAN}_<ACCOUNT>_API_KEY and _API_SECRET."
        )
    rest = endpoints(config.profile.value, config.addresses.exchange).rest
    admit_dead_man(HttpSessions(credentials, rest, proxy=config.live.proxy()), TRADING, credentials.uids())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=FORMAT)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    place = Place(
        folder=config.data_folder,
        silence_s=config.dead_man.silence_s,
        rest=rest,
        credentials=credentials,
        database_url=config.database.url.get_secret_value(),
        proxy=config.live.proxy(),
        reads_file=False,
    )
    watch(place, ended)
