"""The control interface /sim/*: the lockstep and what people and tools may know. Needs the token of the keys file."""

from __future__ import annotations

import hmac
import json
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from infra.simulator.api.exchange import AdvanceResult, StepAhead
from infra.simulator.api.params import Params, shown
from infra.simulator.credentials import Credentials
from infra.simulator.hub import Hub
from infra.simulator.venue.errors import VenueError


def refuse(status: int, message: str) -> web.Response:
    """A refusal with one sentence."""
    return web.json_response({"error": message}, status=status)


class Control:
    """Handlers of /sim/*."""

    def __init__(self, hub: Hub, credentials: Credentials) -> None:
        self.hub = hub
        self._credentials = credentials

    def routes(self) -> list[web.RouteDef]:
        """The routes of the control interface."""
        return [
            web.post("/sim/advance", self.advance),
            web.get("/sim/status", self.status),
            web.get("/sim/accounts", self.accounts),
            web.post("/sim/deposit", self.deposit),
            web.post("/sim/transaction", self.transaction),
        ]

    def denied(self, request: web.Request) -> web.Response | None:
        """The refusal of a request without the token; None when it may pass."""
        token = request.headers.get("X-Sim-Token", "")
        if hmac.compare_digest(token.encode(), self._credentials.sim_token.encode()):
            return None
        return refuse(403, "The header X-Sim-Token must carry the token of the keys file.")

    async def advance(self, request: web.Request) -> web.Response:
        """One micro-step, if the step number is the present one and `handled` names exactly the connections that are
        subscribed to something, each with all frames sent on it."""
        if (denied := self.denied(request)) is not None:
            return denied
        if self.hub.durable.clock is not None:
            return refuse(409, "This exchange runs by the wall clock; its time cannot be advanced.")
        body = await body_of(request)
        step, until, handled = body.get("step"), body.get("until"), body.get("handled")
        patient, max_basis = body.get("patient", 0), body.get("max_basis", {})
        if not isinstance(step, int) or not (until is None or isinstance(until, int)) or not isinstance(patient, int):
            return refuse(400, "step and patient must be integers, until an integer of ms or null.")
        try:
            limits = {str(symbol): Decimal(str(limit)) for symbol, limit in dict(max_basis).items()}
        except (InvalidOperation, TypeError, ValueError):
            return refuse(400, "max_basis must be an object of fractions by symbol.")
        if not (handled is None or isinstance(handled, dict)):
            return refuse(400, "handled must be an object of frame counts by connection id, or null.")
        await self.hub.settle()
        exchange = self.hub.durable.exchange
        sent = self.hub.sent()
        # A connection that is counted but not ours any more has died with its client, or with an earlier process of
        # ours: advancing would have no receiver.
        if handled is not None and step == exchange.step and handled != sent:
            return web.json_response(
                {
                    "settled": False,
                    "advanced": False,
                    "step": exchange.step,
                    "market_time": exchange.market_time,
                    "sent": sent,
                    "queued": len(exchange.venue.queue),
                    "end": exchange.end,
                }
            )
        try:
            sooner = self.hub.faults.sooner
            result = await self.hub.act(
                lambda: self.hub.durable.advance(step, sooner(until), sooner(patient) or 0, limits), _frames
            )
        except StepAhead as error:
            return refuse(409, str(error))
        return web.json_response(
            {
                "settled": result.settled,
                "advanced": result.advanced,
                "step": result.step,
                "market_time": result.market_time,
                "sent": self.hub.sent(),
                "queued": result.queued,
                "end": result.end,
            }
        )

    async def status(self, request: web.Request) -> web.Response:
        """Which exchange this is and where it stands."""
        if (denied := self.denied(request)) is not None:
            return denied
        exchange = self.hub.durable.exchange
        market = exchange.venue.market
        return web.json_response(
            {
                "instance": self._credentials.instance,
                "market": market.label,
                "step": exchange.step,
                "market_time": exchange.market_time,
                "start": market.start_ms,
                "end": market.end_ms,
                "ended": exchange.end,
                "queued": len(exchange.venue.queue),
                "sent": self.hub.sent(),
            }
        )

    async def accounts(self, request: web.Request) -> web.Response:
        """The accounts, without secrets."""
        if (denied := self.denied(request)) is not None:
            return denied
        rows = [{"name": one.name, "uid": one.uid} for one in self._credentials.accounts]
        return web.json_response({"instance": self._credentials.instance, "accounts": rows})

    async def deposit(self, request: web.Request) -> web.Response:
        """Pay in from outside: {"account": name, "coin": coin, "amount": text}."""
        if (denied := self.denied(request)) is not None:
            return denied
        body = await body_of(request)
        account, coin = str(body.get("account")), str(body.get("coin"))
        if account not in self.hub.durable.exchange.venue.accounts:
            return refuse(400, f"account {account!r} does not exist on this exchange.")
        try:
            amount = Params({"amount": body.get("amount")}).required_decimal("amount")
            await self.hub.act(lambda: self.hub.durable.deposit(account, coin, amount))
        except (VenueError, InvalidOperation) as error:
            return refuse(400, f"The deposit of {shown(body.get('amount'))} {shown(coin)} is refused: {error}.")
        return web.json_response({"account": account, "coin": coin, "amount": str(amount)})

    async def transaction(self, request: web.Request) -> web.Response:
        """A movement that no request caused: {"account": name, "coin": coin, "type": type of the transaction log,
        "amount": signed text, "fee": text or absent, "shown": fields of the row to show otherwise, or absent}."""
        if (denied := self.denied(request)) is not None:
            return denied
        body = await body_of(request)
        account, coin, kind = str(body.get("account")), str(body.get("coin")), str(body.get("type") or "")
        shown_otherwise = body.get("shown", {})
        if account not in self.hub.durable.exchange.venue.accounts:
            return refuse(400, f"account {account!r} does not exist on this exchange.")
        if not isinstance(shown_otherwise, dict):
            return refuse(400, "shown must be an object of fields of the row.")
        try:
            amounts = Params({"amount": body.get("amount"), "fee": body.get("fee", "0")})
            amount, fee = amounts.required_decimal("amount"), amounts.required_decimal("fee")
            await self.hub.act(lambda: self.hub.durable.transact(account, coin, kind, amount, fee, shown_otherwise))
        except (VenueError, InvalidOperation) as error:
            return refuse(400, f"The {shown(kind)} of {shown(body.get('amount'))} {shown(coin)} is refused: {error}.")
        return web.json_response({"account": account, "coin": coin, "type": kind, "amount": str(amount)})


def _frames(result: AdvanceResult) -> list[Any]:
    return result.frames


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request; empty when it is none."""
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
