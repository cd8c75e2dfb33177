"""`python -m infra.deadman`: the dead-man switch as `eternal run` starts it; its secrets come over the launch's socket.

It survives the launch: it is asked for nothing after its start, and ends by SIGTERM or with the data folder only.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from infra.bybit.credentials import from_plain
from infra.deadman.left_over import NAME
from infra.deadman.process import Place, watch
from infra.faults import OperatorError
from infra.proxy import proxy_address
from infra.secrets.server import SecretsUnavailableError, fetch

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.deadman", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder of the system")
    parser.add_argument("--silence-s", type=int, required=True, help="wall time without a beat that counts as silence")
    parser.add_argument("--secrets", type=Path, required=True, help="socket at which the launch hands out secrets")
    parser.add_argument("--unlimited", action="store_true", help="the exchange does not count requests")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run until it is ended. 0: in order; 1: it could not begin, and the log says why."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=FORMAT)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal of the launch may close
    given = _arguments(argv)
    try:
        secrets = fetch(given.secrets, NAME)
        proxy = secrets["proxy"]
        place = Place(
            folder=given.data,
            silence_s=given.silence_s,
            rest=secrets["rest"],
            credentials=from_plain(secrets["keys"], None),
            database_url=secrets["database_url"],
            proxy=None if proxy is None else proxy_address(proxy),
            is_limited=not given.unlimited,
        )
        watch(place, ended)
    except (OperatorError, SecretsUnavailableError, OSError) as error:
        logging.getLogger(NAME).error("The dead-man switch does not watch: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
