"""RM-6: `eternal policy diff` and `set --dry-run` on the rows of a system that has run, in the database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from actors.runtime.ports import Commit
from actors.runtime.registry import START_ORDER
from api.cli.main import app
from api.policies import take_in_force
from infra.config import load_config
from infra.config.policy import policy_of
from infra.database import registers
from infra.database.store import PostgresStore
from statemachines.values import DAY_MS
from tests.database import database_url, postgres_server
from tests.simulation.policies.test_in_mid_run import Changing

__all__ = ["database_url", "postgres_server"]

pytestmark = pytest.mark.slow

ONLY_ETH = 'trend_1.assets=[{"asset": "ETH", "symbol": "ETHUSDT"}]'
BULL = (
    "orchestrator.allocation.regime.weights.strong_bull="
    '{"CORE-HODL": "0.45", "TREND": "0.35", "FUNDING": "0.10", "TACTICAL": "0.10"}'
)
"""The regime that rules on the synthetic market then."""


def _copied(run: Changing, url: str) -> None:
    """The rows of a run in process, as its actors would have written them to the database."""
    store = PostgresStore(url)
    for name in START_ORDER:
        loaded = run.store.load(name, run.system.runtime.durables[name].epoch)
        states = list(loaded.states.values())
        commit = Commit(name, store.grant(name, "test"), 1, loaded.market_ms, 1, states, {}, [], {}, [], [], [], [], [])
        store.commit(commit)
    store.close()


def test_what_a_change_would_do_is_said_and_nothing_is_recorded(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)

    def policy(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["policy", *arguments])
        return done.exit_code, done.output

    take_in_force(database_url, load_config())
    assert policy("diff", "risk.price_collar=0.02") == (0, "risk.price_collar: 0.10 -> 0.02\n"), "nothing has run yet"
    run = Changing(days=8)
    run.system.run(run.now_ms + 5 * DAY_MS)
    _copied(run, database_url)

    code, text = policy("set", "--dry-run", "risk.capital_limit_usdt=1000", BULL)
    assert code == 0, text
    assert "risk.capital_limit_usdt: not set -> 1000" in text and text.endswith("Nothing was recorded.\n")
    assert "Orders under way: " in text and "it would refuse 0." in text, "stops reduce risk: they always pass"
    assert "USDT from core-hodl to tactical (OR-2)" in text and "Without the change: " in text
    code, text = policy("diff", "orders.loop_limit=7")
    assert code == 0 and "the same capital" in text, "the order manager's logic is made of the database's installation"
    code, text = policy("diff", ONLY_ETH)
    assert code == 0 and "trend-1 could not apply it: row " in text and "backup" not in text
    code, text = policy("diff", "--json", "risk.price_collar=0.02")
    effects = json.loads(text)["effects"]
    assert effects["orders"] > 0 and (effects["refused"], effects["cannot_apply"]) == ([], {})
    assert effects["moves"] == effects["moves_now"]
    code, text = policy("rollback", "--to-configuration", "--reason", "the file", "--dry-run")
    assert code == 2 and "applies already" in text
    assert policy("set", "risk.price_collar=0.02")[0] == 2, "a change needs its reason"
    code, text = policy("set", ONLY_ETH, "--reason", "no more BTC", "--yes")
    assert code == 2 and "trend-1 could not apply it: row " in text and "Nothing was recorded" in text
    assert len(registers.policy_history(database_url)) == 1

    own = policy_of(load_config())
    odd = {**own, "risk": {**own["risk"], "moods": 1}}
    registers.record_policy(database_url, 1, odd, "a later program", "moods", "operator")
    code, text = policy("rollback", "1", "--reason", "an older program runs", "--dry-run")
    assert code == 0 and "The newest version cannot be used: " in text and "moods" in text, text
    assert "would move the same capital" in text and text.endswith("Nothing was recorded.\n")
    assert policy("rollback", "1", "--reason", "an older program runs", "--yes")[0] == 0
    assert [one.origin for one in registers.policy_history(database_url)] == ["rollback", "operator", "configuration"]
