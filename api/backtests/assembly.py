"""The desk and the keeper of one installation."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from api.backtests.desk import BacktestDesk, Parts
from api.backtests.folder import Runs
from api.backtests.history import HistoryDesk
from api.backtests.keeper import RunKeeper
from infra.config import EternalConfig
from infra.database.registers import newest_policy


class Assembled(NamedTuple):
    """What the routes use, and what runs beside them."""

    desk: BacktestDesk
    keeper: RunKeeper


def assemble(config: EternalConfig, database_url: str) -> Assembled:
    """The parts on the data folder of the configuration; the policy is read from the database."""
    runs = Runs(config.backtests_folder)
    keeper = RunKeeper(runs)
    history = HistoryDesk(config.api.backtest_history or config.exchange.history)
    policy = partial(newest_policy, database_url)
    return Assembled(BacktestDesk(Parts(runs, config, policy, history, keeper.wake, lambda: keeper.trouble)), keeper)
