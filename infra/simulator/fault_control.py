"""The control interface of faults, /sim/faults: inject, list and clear them. Needs the token of the keys file."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf

from infra.simulator.control import Control, body_of, refuse
from infra.simulator.faults.catalogue import CATALOGUE, Fault
from infra.simulator.faults.reading import FaultError, fault_of, read
from infra.simulator.faults.scenario import LONGEST_S


class Injected(BaseModel):
    """The body of POST /sim/faults: the fault, for how many seconds of exchange time (without: until it is cleared),
    and the seed of its chances."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    fault: Annotated[InstanceOf[Fault], BeforeValidator(fault_of)]
    for_s: Annotated[float, Field(gt=0, le=LONGEST_S)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0


class FaultControl(Control):
    """Handlers of /sim/faults."""

    def routes(self) -> list[web.RouteDef]:
        """The routes of faults."""
        return [
            web.get("/sim/faults", self.listing),
            web.post("/sim/faults", self.inject),
            web.delete("/sim/faults", self.clear_all),
            web.get("/sim/faults/catalogue", self.catalogue),
            web.delete("/sim/faults/{id:.+}", self.clear),
        ]

    async def catalogue(self, request: web.Request) -> web.Response:
        """Every kind of fault with the JSON Schema of its fields."""
        if (denied := self.denied(request)) is not None:
            return denied
        return web.json_response({kind: model.model_json_schema() for kind, model in CATALOGUE.items()})

    async def listing(self, request: web.Request) -> web.Response:
        """The active faults, oldest first, with how often each has struck."""
        if (denied := self.denied(request)) is not None:
            return denied
        return web.json_response(self._state())

    async def inject(self, request: web.Request) -> web.Response:
        """Inject one fault: {"fault": {"kind": ..., ...}, "for_s": seconds or absent, "seed": number or absent}."""
        if (denied := self.denied(request)) is not None:
            return denied
        try:
            asked = read(Injected, await body_of(request))
            for_ms = None if asked.for_s is None else round(asked.for_s * 1_000)
            made = await self.hub.act(lambda: self.hub.faults.inject(asked.fault, for_ms, asked.seed))
        except FaultError as error:
            return refuse(400, str(error))
        return web.json_response(made.shown())

    async def clear(self, request: web.Request) -> web.Response:
        """End one fault."""
        if (denied := self.denied(request)) is not None:
            return denied
        identity = request.match_info["id"]
        if not await self.hub.act(lambda: self.hub.faults.clear(identity)):
            active = ", ".join(one.id for one in self.hub.faults.desk.active()) or "none"
            return refuse(404, f"id is {identity!r}; no such fault is active. Active are: {active}.")
        return web.json_response({"cleared": [identity]})

    async def clear_all(self, request: web.Request) -> web.Response:
        """End every fault, and the rest of a scenario."""
        if (denied := self.denied(request)) is not None:
            return denied
        return web.json_response({"cleared": await self.hub.act(self.hub.faults.clear_all)})

    def _state(self) -> dict[str, Any]:
        rows = [one.shown() for one in self.hub.faults.desk.active()]
        return {
            "market_time": self.hub.durable.exchange.market_time,
            "next_ms": self.hub.faults.next_ms(),
            "faults": rows,
        }
