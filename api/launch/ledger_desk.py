"""`eternal ledger check` on a running system: the launch, which holds the keys, checks; no key leaves it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from api.launch.simulator_process import SimulatorProcess
from infra.bybit.credentials import Credentials
from infra.config import EternalConfig
from infra.database.launch import Database
from infra.faults import OperatorError
from statemachines.values import Account

_log = logging.getLogger(__name__)

LEDGER_CHECK = "ledger-check"
"""A caller asks for "ledger-check:FROM_MS:ID" again and again until its answer is no longer "running"."""

KEPT = 8
"""Results kept for a caller whose answer was lost."""

Check = Callable[[int], Mapping[str, Any]]


def check_running(
    config: EternalConfig,
    credentials: Credentials,
    exchange: SimulatorProcess | None,
    database: Database,
    from_ms: int,
) -> Mapping[str, Any]:
    """Compare the running system's ledger with the exchange, in the process that holds the keys."""
    from api.ledger.check import check_ledger
    from api.ledger.exchange import exchange_records, lag_ms

    records = exchange_records(config, credentials, "" if exchange is None else exchange.url)
    return check_ledger(database.reader_url, records, Account, from_ms, lag_ms=lag_ms(config)).as_data()


class LedgerDesk:
    """One check at a time, on a thread of its own: the socket that hands out secrets never waits for it."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._guard = threading.Lock()
        self._results: dict[str, Mapping[str, Any]] = {}
        self._is_busy = False

    def answer(self, name: str) -> Mapping[str, Any]:
        """`state` is running, busy (with another caller's), done (with `report`) or failed (with `text`).

        Raises KeyError: the name is not one of ours.
        """
        kind, _, rest = name.partition(":")
        first, _, identity = rest.partition(":")
        if kind != LEDGER_CHECK or not identity or not (first.isascii() and first.isdigit()):
            raise KeyError(name)
        with self._guard:
            known = self._results.get(name)
            if known is not None:
                return known
            if self._is_busy:
                return {"state": "busy"}
            self._is_busy = True
            while len(self._results) >= KEPT:
                del self._results[next(iter(self._results))]
            self._results[name] = {"state": "running"}
        threading.Thread(target=self._run, args=(name, int(first)), name="ledger check", daemon=True).start()
        return {"state": "running"}

    def _run(self, name: str, from_ms: int) -> None:
        result: Mapping[str, Any] = {"state": "failed", "text": "The check ended without a result; see eternal.log."}
        try:
            result = {"state": "done", "report": self._check(from_ms)}
        except OperatorError as error:
            result = {"state": "failed", "text": str(error)}
        except Exception as error:  # noqa: BLE001 - reported to the caller; the launch lives on
            _log.exception("the ledger could not be checked")
            result = {"state": "failed", "text": f"The check failed ({type(error).__name__}); see eternal.log."}
        finally:
            with self._guard:
                self._results[name] = result
                self._is_busy = False
