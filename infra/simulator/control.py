"""The control interface /sim/*: the lockstep and what people and tools may know. Needs the token of the keys file."""

from __future__ import annotations

import hmac
from decimal import Decimal
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from infra.simulator.api.exchange import AdvanceResult, StepAhead
from infra.simulator.api.params import shown
from infra.simulator.body import BodyError, decimal_of, integer_of, read_object, text_of
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
        step, handled = integer_of(body, "step"), body.get("handled")
        until = None if body.get("until") is None else integer_of(body, "until", "an integer of ms or null")
        patient = integer_of({"patient": 0, **body}, "patient")
        limits = _limits(body.get("max_basis", {}))
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
        account, coin, amount = self._account_of(body), text_of(body, "coin"), decimal_of(body, "amount")
        try:
            await self.hub.act(lambda: self.hub.durable.deposit(account, coin, amount))
        except VenueError as error:
            return refuse(400, f"The deposit is refused: {error.message}")
        return web.json_response({"account": account, "coin": coin, "amount": str(amount)})

    async def transaction(self, request: web.Request) -> web.Response:
        """A movement that no request caused: {"account": name, "coin": coin, "type": type of the transaction log,
        "amount": signed text, "fee": text or absent, "shown": fields of the row to show otherwise, or absent}."""
        if (denied := self.denied(request)) is not None:
            return denied
        body = await body_of(request)
        account, coin, kind = self._account_of(body), text_of(body, "coin"), text_of(body, "type")
        amount, fee = decimal_of(body, "amount"), decimal_of({"fee": "0", **body}, "fee")
        shown_otherwise = body.get("shown", {})
        if not isinstance(shown_otherwise, dict):
            return refuse(400, f"shown is {shown(shown_otherwise)}; it must be an object of fields of the row.")
        try:
            await self.hub.act(lambda: self.hub.durable.transact(account, coin, kind, amount, fee, shown_otherwise))
        except VenueError as error:
            return refuse(400, f"The transaction is refused: {error.message}")
        return web.json_response({"account": account, "coin": coin, "type": kind, "amount": str(amount)})

    def _account_of(self, body: dict[str, Any]) -> str:
        account = text_of(body, "account")
        known = self.hub.durable.exchange.venue.accounts
        if account not in known:
            raise BodyError(f"account is {shown(account)}; it must be one of {', '.join(known)}.")
        return account

    async def nowhere(self, request: web.Request) -> web.Response:
        """The refusal of a path under /sim that does not exist, or not with this method."""
        if (denied := self.denied(request)) is not None:
            return denied
        methods: set[str] = set()
        for resource in request.app.router.resources():
            methods |= (await resource.resolve(request))[1] - {"*", "HEAD"}
        asked = f"{shown(request.method)} {shown(request.path)}"
        if methods:
            return refuse(405, f"{asked} does not exist; allowed here are {', '.join(sorted(methods))}.")
        return refuse(404, f"{asked} does not exist in the control interface.")


def _frames(result: AdvanceResult) -> list[Any]:
    return result.frames


def _limits(max_basis: object) -> dict[str, Decimal]:
    if not isinstance(max_basis, dict):
        raise BodyError(f"max_basis is {shown(max_basis)}; it must be an object of fractions by symbol.")
    return {symbol: decimal_of(max_basis, symbol) for symbol in max_basis}


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request. Raises ``BodyError``."""
    return read_object(await request.read())


@web.middleware
async def sentences(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What a request of /sim carries and cannot be read is refused with its sentence."""
    if not is_control(request.path):
        return await handler(request)
    try:
        return await handler(request)
    except BodyError as error:
        return refuse(400, str(error))
    except web.HTTPRequestEntityTooLarge:
        return refuse(413, "The request body is longer than 1 MiB.")


def is_control(path: str) -> bool:
    """Whether the path belongs to the control interface."""
    return path == "/sim" or path.startswith("/sim/")
