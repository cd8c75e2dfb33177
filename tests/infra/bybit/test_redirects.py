"""The gateway follows no redirect (DE-3): signed headers stay with the exchange, and nobody else's answer counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import SecretStr

from infra.bybit.credentials import AccountKey, Credentials
from infra.bybit.errors import Purpose, outcome_of
from infra.bybit.session import HttpSessions
from statemachines.requests import Unknown
from statemachines.values import Account


class Redirecting:
    """Answers every request with a redirect to a stranger; `asked` are the paths that reached the stranger."""

    def __init__(self, status: int) -> None:
        self.asked: list[str] = []
        outer = self

        class Stranger(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"retCode":0,"retMsg":"OK","result":{"orderId":"x"},"retExtInfo":{},"time":1}')

            do_POST = do_GET

            def log_message(self, *_arguments: object) -> None:
                """Quiet."""

        class Exchange(Stranger):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Location", f"http://127.0.0.1:{outer.stranger.server_port}/taken")
                self.end_headers()

            do_POST = do_GET

        self.stranger, self.exchange = HTTPServer(("127.0.0.1", 0), Stranger), HTTPServer(("127.0.0.1", 0), Exchange)
        for server in (self.stranger, self.exchange):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self) -> None:
        for server in (self.stranger, self.exchange):
            server.shutdown()
            server.server_close()


@pytest.fixture(params=[301, 302, 303, 307, 308])
def redirecting(request: pytest.FixtureRequest) -> Iterator[Redirecting]:
    found = Redirecting(request.param)
    yield found
    found.close()


def test_a_redirect_is_no_answer_and_nobody_else_is_asked(redirecting: Redirecting) -> None:
    keys = {Account.TREND_1: AccountKey(api_key=SecretStr("key"), api_secret=SecretStr("secret"), uid=1)}
    url = f"http://127.0.0.1:{redirecting.exchange.server_port}"
    session = HttpSessions(Credentials(keys), url).session(Account.TREND_1)
    with pytest.raises(Exception) as raised:
        session.place_order(category="linear", symbol="BTCUSDT", side="Buy", orderType="Market", qty="1")
    assert isinstance(outcome_of(raised.value, Purpose.WRITE), Unknown)
    assert redirecting.asked == []
