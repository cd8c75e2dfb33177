"""OR-6: the journal as beancount and CSV, and `eternal ledger check` over database and exchange."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from api.cli import ledger as command
from api.cli.main import app
from api.launch.ledger_desk import LedgerDesk
from api.ledger import beancount, tax_csv
from api.ledger.check import LIVE_LAG_MS, ExchangeUnreadableError, Report, check_ledger
from api.ledger.exchange import UnreachableError, exchange_records
from api.ledger.period import Period
from api.logics import logics
from infra.backtest.system import DirectExchange, InProcessSystem
from infra.bybit.credentials import Credentials
from infra.bybit.readers.ledger_reading import ExchangeRecords
from infra.bybit.session import DirectSessions
from infra.config import EternalConfig
from infra.database import connection, ledger_rows
from infra.database.ledger_rows import PostingRow, reading
from infra.database.store import PostgresStore
from infra.faults import OperatorError
from infra.processes.ports import free_ports
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from statemachines.facts import BarFact, ExecutionFact, Fact, PostingFact
from statemachines.ledger import postings
from statemachines.ledger.transactions import attribute, transaction_posting
from statemachines.requests import ExecutionReport
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import DAY_MS, HOUR_MS, Account, Category, Side
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit.rows import Pen
from tests.simulation.whole import synthetic
from tests.waiting import until

D = Decimal
DAY_ONE = 1_704_067_200_000  # 2024-01-01
A = Account.TREND_1


# --- export ---


def fill(number: int, category: Category, side: Side, at_ms: int, pnl: str = "0", fee_coin: str = "USDT") -> list[Fact]:
    report = ExecutionReport(
        account=A, execution_id=f"e{number}", client_order_id=f"abc123T1{number}-1", venue_order_id=f"x{number}",
        category=category, symbol="BTCUSDT", side=side, quantity=D("0.002"), price=D("42000.5"), fee=D("0.000002"),
        fee_coin=fee_coin, fee_rate=D("0.001"), is_maker=False, realized_pnl=D(pnl), execution_type="Trade",
        executed_ms=at_ms,
    )  # fmt: skip
    fact = ExecutionFact(
        engine="trend-1",
        **{
            name: getattr(report, name) for name in ExecutionFact.model_fields if name not in ("engine", "realized_pnl")
        },
        realized_pnl=D(pnl),
    )
    return [fact, postings.fill_posting(report, "BTC", "USDT", D(pnl))]


def from_log(number: int, kind: str, coin: str, change: str | None, at_ms: int, raw: str = "{}") -> PostingFact:
    row = TransactionRow(
        account=A, transaction_id=f"l{number}", transaction_type=kind, coin=coin,
        change=None if change is None else D(change), time_ms=at_ms, raw=raw,
        problem="" if change is not None else "field 'change' is 'x'",
    )  # fmt: skip
    return transaction_posting(row, attribute(row), at_ms)


HOSTILE = '=HYPERLINK("evil")\\ "quoted"\n2024-01-01 open Assets:Fake \u202e'


def book() -> list[Fact]:
    opening = postings.opening_posting(A, {"USDT": D(1000), "BTC": D("0.5")}, DAY_ONE)
    assert opening is not None
    return [
        opening,
        *fill(1, "spot", Side.BUY, DAY_ONE + HOUR_MS, fee_coin="BTC"),
        *fill(2, "linear", Side.SELL, DAY_ONE + 2 * HOUR_MS, pnl="12.34567891"),
        postings.transfer_posting("t1", A, Account.MASTER, "USDT", D("10.5"), DAY_ONE + DAY_MS, "OR-4"),
        from_log(1, "INTEREST", "USDT", "-0.00000001", DAY_ONE + DAY_MS + 1),
        from_log(2, "BONUS", "BTC", "0.00012", DAY_ONE + DAY_MS + 2 * HOUR_MS),
        from_log(3, "AIRDROP", "1INCH", "7", DAY_ONE + 2 * DAY_MS),
        from_log(4, "CURRENCY_SELL", "USDT", "-5", DAY_ONE + 2 * DAY_MS),
        from_log(4, "CURRENCY_BUY", "S", "3", DAY_ONE + 2 * DAY_MS),
        from_log(5, "NEW", "USDT", "1", DAY_ONE + 2 * DAY_MS + 1, HOSTILE),
        from_log(6, "BONUS", "USDT", None, DAY_ONE + 2 * DAY_MS + 2, HOSTILE),
        from_log(7, "FLEXIBLE_STAKING_SUBSCRIPTION", "USDT", "-100", DAY_ONE + 3 * DAY_MS),
        from_log(8, "TRANSFER_OUT", "USDT", "-20", DAY_ONE + 3 * DAY_MS + 1),
        BarFact(
            category="spot", symbol="BTCUSDT", interval="60", start_ms=DAY_ONE + DAY_MS, open=D(1), high=D(43000),
            low=D(1), close=D(43000), volume=D(1),
        ),
    ]  # fmt: skip


@pytest.fixture
def ledger(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811
    store = PostgresStore(database_url)
    Pen(store).write(facts=book())
    store.close()
    monkeypatch.setattr(ledger_rows, "PAGE", 3)
    return database_url


COMMODITY = r"[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]"
ACCOUNT = r"(?:Assets|Liabilities|Equity|Income|Expenses)(?::[A-Z0-9][A-Za-z0-9-]*)+"
STRING = r'"(?:[^"\\\n]|\\["\\])*"'
NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"


def parsed(lines: list[str]) -> tuple[dict[tuple[str, str], Decimal], int]:
    """A strict reader of what is written: every transaction balances in each commodity, every account is open, every
    commodity is declared, and the balances asserted are the sums. Returns the sums and the number of transactions."""
    opened: set[str] = set()
    declared: set[str] = set()
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    inside: dict[str, Decimal] | None = None
    count = asserted = 0
    for line in [*lines, ""]:
        assert "\n" not in line and line.isprintable()
        if not line:
            assert inside is None or all(total == 0 for total in inside.values())
            inside = None
        elif line.startswith(";") or re.fullmatch(rf"option {STRING} {STRING}", line):
            pass
        elif found := re.fullmatch(rf"\d{{4}}-\d\d-\d\d commodity ({COMMODITY})", line):
            declared.add(found[1])
        elif found := re.fullmatch(rf"\d{{4}}-\d\d-\d\d open ({ACCOUNT})", line):
            assert found[1] not in opened
            opened.add(found[1])
        elif found := re.fullmatch(rf"\d{{4}}-\d\d-\d\d balance ({ACCOUNT})  ({NUMBER}) ({COMMODITY})", line):
            assert sums[found[1], found[3]] == D(found[2])
            asserted += 1
        elif re.fullmatch(rf"\d{{4}}-\d\d-\d\d \* {STRING} {STRING}", line):
            inside = defaultdict(Decimal)
            count += 1
        elif found := re.fullmatch(rf"  ({ACCOUNT})  ({NUMBER}) ({COMMODITY})", line):
            assert inside is not None and found[1] in opened and found[3] in declared
            inside[found[3]] += D(found[2])
            sums[found[1], found[3]] += D(found[2])
        else:
            assert re.fullmatch(rf"  [a-z_]+: {STRING}", line), line
    assert asserted, "a journal without a balance proves nothing"
    return dict(sums), count


def test_every_account_of_the_ledger_has_one_of_beancount() -> None:
    assert set(beancount.ROOTS) == set(postings.LEDGER_ACCOUNTS)


def test_the_beancount_journal_balances_and_holds_every_entry(ledger: str, tmp_path: Path) -> None:
    with reading(ledger) as rows:
        lines = list(beancount.journal(rows, Period()))
    sums, count = parsed(lines)
    assert count == 12
    assert sums["Assets:Bybit:TREND-1:Wallet", "COIN-1INCH"] == 7
    assert sums["Income:Bybit:TREND-1:Trading", "USDT"] == D("-12.34567891")
    assert sums["Equity:Bybit:TREND-1:Exchanged", "BTC"] == D("-0.002"), "a purchase is no income"
    assert sums["Expenses:Bybit:TREND-1:Interest", "USDT"] == D("0.00000001")
    assert not [line for line in lines if "Fake" in line and not line.startswith(("2", ";"))]
    assert_accepted(lines, tmp_path)


def assert_accepted(lines: list[str], tmp_path: Path) -> None:
    """By beancount itself, where it is installed; the strict reader above is the proof that always runs."""
    program = shutil.which("bean-check")
    if program is None:
        return
    path = tmp_path / "journal.beancount"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_journal_of_a_period_begins_with_what_was_carried_forward(ledger: str, tmp_path: Path) -> None:
    with reading(ledger) as rows:
        whole, _ = parsed(list(beancount.journal(rows, Period())))
        lines = list(beancount.journal(rows, Period(DAY_ONE + DAY_MS, DAY_ONE + 3 * DAY_MS)))
        later = list(beancount.journal(rows, Period(DAY_ONE + 3 * DAY_MS)))
    sums, _count = parsed(lines)
    assert sums["Assets:Bybit:MASTER:Wallet", "USDT"] == D("10.5")
    assert not any(line.startswith(("2024-01-01", "2024-01-04 *")) for line in lines)
    wallet = ("Assets:Bybit:TREND-1:Wallet", "USDT")
    assert parsed(later)[0][wallet] == whole[wallet]
    assert_accepted(lines, tmp_path)
    assert_accepted(later, tmp_path)


def test_the_csv_has_one_line_per_movement_with_the_realized_profit_of_each_fill(ledger: str) -> None:
    with reading(ledger) as rows:
        text = "\r\n".join(tax_csv.table(rows, Period()))
    lines = list(csv.DictReader(text.splitlines(keepends=True)))
    assert list(lines[0]) == list(tax_csv.COLUMNS)
    spot = [line for line in lines if line["trade_id"] == "e1"]
    assert [(line["coin"], line["amount"], line["fee"]) for line in spot] == [
        ("BTC", "0.001998", "0.000002"),
        ("USDT", "-84.001", "0"),
    ]
    assert {line["price_usdt"] for line in spot} == {"42000.5"} and {line["realized_pnl_usdt"] for line in spot} == {""}
    (closed,) = [line for line in lines if line["trade_id"] == "e2"]
    assert (closed["amount"], closed["realized_pnl_usdt"]) == ("12.34567691", "12.34567891")
    assert closed["order_id"] == "abc123T12-1" and closed["time_utc"] == "2024-01-01T02:00:00.000Z"
    (bonus,) = [line for line in lines if line["coin"] == "BTC" and line["type"] == "bonus"]
    assert bonus["price_usdt"] == "43000", "the last close before it"
    (inch,) = [line for line in lines if line["coin"] == "1INCH"]
    assert inch["price_usdt"] == "", "a price that is not known is not invented"
    moved: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in lines:
        if line["amount"]:
            moved[line["account"], line["coin"]] += D(line["amount"])
    assert moved["TREND-1", "USDT"] == D(1000) - D("84.001") + D("12.34567691") - D("10.5") - D("0.00000001") - 124
    suspense = [line for line in lines if line["type"] == "suspense"]
    assert len(suspense) == 2 and all("HYPERLINK" in line["description"] for line in suspense)
    assert not [cell for line in lines for cell in line.values() if cell.startswith(("=", "@", "+"))]


def test_yield_that_stays_in_earn_is_income_with_coin_amount_and_price() -> None:
    """It moves no wallet: its line had neither a coin nor an amount, and the income was missing from the sums."""

    def lines(posting: PostingFact) -> list[dict[str, str]]:
        moved = tuple((str(one.account), one.ledger_account, one.coin, one.amount) for one in posting.lines)
        return tax_csv.records(
            PostingRow(posting.posting_id, posting.kind, posting.posted_ms, posting.description, moved)
        )

    (paid,) = lines(postings.yield_posting(A, "y1", "ETH", D("0.00013"), DAY_ONE))
    assert (paid["type"], paid["coin"], paid["amount"], paid["earn_amount"]) == ("earn", "ETH", "0", "0.00013")
    (staked,) = lines(postings.staking_posting("s1", A, "ETH", D(4), DAY_ONE, "stake"))
    assert (staked["amount"], staked["fee"], staked["earn_amount"]) == ("-4", "0", "4")
    (nothing,) = lines(from_log(6, "BONUS", "USDT", None, DAY_ONE))
    assert (nothing["coin"], nothing["amount"], nothing["earn_amount"]) == ("", "", "")


def test_a_page_of_a_large_ledger_is_read_quickly(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """The execution of each fill was looked for among all of its account: after 5,000 fills of an account a page took
    more than the 5 s that a query may take, and neither check nor export could read the ledger any more."""
    monkeypatch.setattr(connection, "READ_TIMEOUT_MS", 1_000)
    store, many = PostgresStore(database_url), 6_000
    facts = [one for number in range(many) for one in fill(number, "linear", Side.BUY, DAY_ONE + number)]
    Pen(store).write(facts=facts)
    store.close()
    with reading(database_url) as rows:
        found = list(rows.postings(account=A))
    assert len(found) == many
    assert all(one.execution is not None and one.execution["engine"] == "trend-1" for one in found)


def test_the_columns_are_documented_as_they_are() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    for name, meaning in tax_csv.COLUMNS.items():
        assert f"| `{name}` | {meaning} |" in text


def test_an_empty_ledger_is_exported_as_one(database_url: str) -> None:  # noqa: F811
    with reading(database_url) as rows:
        assert "no entry" in list(beancount.journal(rows, Period()))[-1]
        assert list(tax_csv.table(rows, Period())) == [",".join(tax_csv.COLUMNS)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "xml"], "--format 'xml' is refused: beancount or csv is required."),
        (["--format", "csv", "--from", "2020-02-30"], "--from '2020-02-30' is refused"),
        (["--format", "csv", "--from", "2020-02-02", "--to", "2020-02-01"], "--to 2020-02-01 is before"),
    ],
)
def test_a_bad_argument_gets_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["ledger", "export", *arguments])
    assert result.exit_code == 2 and sentence in result.output and "Traceback" not in result.output


def test_a_folder_without_a_system_is_named_and_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["ledger", "export", "--format", "csv", "--data", "nowhere"])
    assert result.exit_code == 3 and "no system has run on it yet" in result.output
    assert not (tmp_path / "nowhere").exists()


# --- check ---


@pytest.fixture
def traded(database_url: str) -> Iterator[tuple[str, ExchangeRecords, InProcessSystem]]:  # noqa: F811
    """The whole system on PostgreSQL: eight days, with a bonus that nobody announced."""
    market = synthetic(10)
    exchange = Exchange(market, SimConfig(rate_limits=False))
    store = PostgresStore(database_url)
    system = InProcessSystem(exchange, logics(EternalConfig(), "test01"), store)
    system.start()
    system.run(market.start_ms + 4 * DAY_MS + HOUR_MS)
    exchange.transact("TREND-1", "USDT", "BONUS", D("12.5"), D(0), {})
    system.run(market.start_ms + 8 * DAY_MS + HOUR_MS)
    direct = DirectExchange(exchange)
    yield database_url, ExchangeRecords(DirectSessions(direct.handle), direct), system
    store.close()


def test_a_system_that_has_just_begun_is_compared_from_its_opening_on(database_url: str) -> None:  # noqa: F811
    """In live the newest minute is not compared: an opening within it did not count, and every balance differed."""
    exchange = Exchange(synthetic(2), SimConfig(rate_limits=False))
    store = PostgresStore(database_url)
    InProcessSystem(exchange, logics(EternalConfig(), "test01"), store).start()
    direct = DirectExchange(exchange)
    records = ExchangeRecords(DirectSessions(direct.handle), direct)
    report = check_ledger(database_url, records, Account, lag_ms=LIVE_LAG_MS, pause=lambda _seconds: None)
    store.close()
    assert report.differences == []
    assert any(figure.what == "balance" and figure.exchange == D(15_000) for figure in report.figures)


def checked(traded: tuple[str, ExchangeRecords, InProcessSystem]) -> Report:
    return check_ledger(traded[0], traded[1], Account, lag_ms=1, pause=lambda _seconds: None)


def test_or6_the_check_proves_ledger_and_exchange_equal_and_names_what_was_planted(
    traded: tuple[str, ExchangeRecords, InProcessSystem],
) -> None:
    url, _exchange, system = traded
    report = checked(traded)
    assert report.differences == [] and report.entries > 20
    assert {"balance", "position", "fees", "funding paid", "equity"} <= {figure.what for figure in report.figures}
    with psycopg.connect(url, autocommit=True) as connection:
        fills = connection.execute(
            "SELECT posting_id, posted_ms FROM postings WHERE posting_id LIKE 'fill:TREND-1:%' LIMIT 1"
        ).fetchone()
        assert fills is not None
        connection.execute("ALTER TABLE posting_lines DISABLE TRIGGER USER")  # the program's own roles cannot
        connection.execute("DELETE FROM posting_lines WHERE posting_id = %s", (fills[0],))
    (named,) = [one for one in checked(traded).differences if one.entry]
    assert named.fault == "missing" and fills[0].rpartition(":")[2] in named.text and named.time_ms == fills[1]
    output = "\n".join(command.table(checked(traded).as_data()))
    assert "DIFFERS" in output and named.entry in output and "2025-" in output
    system.exchange.transact("TREND-2", "USDT", "INTEREST", D(-1), D(0), {})
    system.exchange.venue.now_ms += 5  # what has just happened is compared only once it can have been booked
    assert {one.account for one in checked(traded).differences if one.entry} == {"TREND-1", "TREND-2"}


def test_a_difference_that_only_one_reading_shows_is_none(
    traded: tuple[str, ExchangeRecords, InProcessSystem],
) -> None:
    """A running system books while it is read."""
    url, exchange, system = traded
    system.exchange.transact("TREND-2", "USDT", "INTEREST", D(-1), D(0), {})
    system.exchange.venue.now_ms += 5
    taken: list[float] = []

    def booked_meanwhile(_seconds: float) -> None:
        taken.append(_seconds)
        system.exchange.venue.now_ms -= 5
        system.exchange.venue.accounts["TREND-2"].log.pop()
        system.exchange.venue.accounts["TREND-2"].wallet["USDT"] += 1

    assert check_ledger(url, exchange, Account, lag_ms=1, pause=booked_meanwhile).differences == [] and taken


def test_an_exchange_that_does_not_answer_proves_nothing(database_url: str) -> None:  # noqa: F811
    def away(*_: Any) -> Any:
        return {"retCode": 10016, "retMsg": "server error", "result": {}, "retExtInfo": {}, "time": 1}

    class Clock:
        def now_ms(self) -> int:
            return DAY_ONE

    with pytest.raises(ExchangeUnreadableError, match="The exchange cannot be read"):
        check_ledger(database_url, ExchangeRecords(DirectSessions(away), Clock()), Account, lag_ms=1)


def test_the_launch_checks_one_at_a_time_beside_its_socket() -> None:
    """The socket hands out secrets to actors that restart: it must not wait for the exchange."""
    gate, asked = threading.Event(), []

    def slow(from_ms: int) -> dict[str, Any]:
        asked.append(from_ms)
        gate.wait(10)
        if from_ms:
            raise OperatorError("The exchange cannot be read: away")
        return {"differences": []}

    desk = LedgerDesk(slow)
    assert desk.answer("ledger-check:0:a") == {"state": "running"}
    assert desk.answer("ledger-check:0:a") == {"state": "running"}
    assert desk.answer("ledger-check:5:b") == {"state": "busy"}
    gate.set()
    settled(desk, "ledger-check:0:a", {"state": "done", "report": {"differences": []}})
    settled(desk, "ledger-check:5:b", {"state": "failed", "text": "The exchange cannot be read: away"})
    assert asked == [0, 5]
    for name in ("ledger-check", "ledger-check:x:b", "ledger-check:5:", "ledger-checks:5:b"):
        with pytest.raises(KeyError):
            desk.answer(name)


def settled(desk: LedgerDesk, name: str, wanted: dict[str, Any]) -> None:
    until(lambda: desk.answer(name) == wanted)


def test_a_row_whose_amount_cannot_be_read_is_named_with_the_correction_that_stands_for_it(
    traded: tuple[str, ExchangeRecords, InProcessSystem],
) -> None:
    _url, _exchange, system = traded
    system.exchange.transact("TREND-2", "USDT", "BONUS", D(1), D(0), {"change": "one"})
    system.run(system.exchange.market_time + DAY_MS)
    found = {one.fault: one for one in checked(traded).differences}
    assert set(found) == {"unread", "unexplained"}
    assert "amount cannot be read" in found["unread"].text and "USDT" in found["unexplained"].ledger


def test_an_exchange_that_does_not_answer_is_named_and_so_is_what_to_do() -> None:
    """ "The check failed (ConnectionError); see eternal.log." named neither the address nor a remedy."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    config = EternalConfig(profile="testnet", addresses={"rest": address})  # type: ignore[arg-type]
    with pytest.raises(UnreachableError, match=re.escape(f"The exchange at {address} did not answer")):
        exchange_records(config, Credentials({}), "")
