"""Where `eternal ledger` reads: the database and the exchange of a stopped system, which are started for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from api.cli.status import NothingRunsError, database_url, running_pid, write_pid
from infra.config import EternalConfig
from infra.data_folder import demand_data_folder
from infra.ownership import is_missing

if TYPE_CHECKING:
    from infra.bybit.readers.ledger_reading import ExchangeRecords


@contextmanager
def database_of(config: EternalConfig) -> Iterator[str]:
    """The URL of the database for reading; an embedded one of a stopped system is started for as long as it is read.

    Raises:
        NothingRunsError: there is none yet.
    """
    if config.database.url is not None or running_pid(config.data_folder) is not None:
        yield database_url(config)
        return
    with _held(config):
        from infra.database.server.embedded import EmbeddedPostgres

        server = EmbeddedPostgres(config.database_folder, config.database.port)
        try:
            yield server.start()
        finally:
            server.stop()


@contextmanager
def stopped_system(config: EternalConfig) -> Iterator[tuple[str, ExchangeRecords]]:
    """Database and exchange of a system that does not run; the simulated exchange stands still meanwhile.

    Raises:
        RunningError: there is none, or one runs.
        CredentialsError, SimulatorError, EmbeddedDatabaseError.
    """
    from api.ledger.exchange import exchange_records
    from infra.bybit.credentials import from_environment, from_simulator

    with ExitStack() as stack:
        url = stack.enter_context(database_of(config))
        if not config.is_simulated:
            yield url, exchange_records(config, from_environment(os.environ), "")
            return
        from api.launch.simulator_process import SimulatorProcess

        process = SimulatorProcess(config)
        stack.callback(process.stop)
        process.start()
        yield url, exchange_records(config, from_simulator(process.keys_file), process.url)


@contextmanager
def _held(config: EternalConfig) -> Iterator[None]:
    """The data folder of a stopped system, held so that none starts meanwhile."""
    from infra.database.server.files import reachable_home, server_user

    home = reachable_home(config.database_folder, server_user())
    if is_missing(config.data_folder) or not home.exists():
        raise NothingRunsError(f"There is no database in {config.data_folder}: no system has run on it yet.")
    demand_data_folder(config.data_folder)
    with write_pid(config.data_folder):
        yield
