"""What becomes of one request under a fault: what of it reaches the exchange, and what leaves in answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from infra.simulator.faults.catalogue import (
    BrokenJson,
    HttpError,
    LostAnswer,
    LostRequest,
    RateLimit,
    Refusal,
    RequestFault,
    ServerError,
)

TOO_MANY = (10006, "Too many visits. Exceeded the API Rate Limit.")
ERRORS: Mapping[int, str] = {10000: "Server Timeout", 10016: "Internal server error."}


class Asked(NamedTuple):
    """One REST request; ``account`` is whose key signed it (None: unsigned), ``symbols`` those that it names."""

    method: str
    path: str
    params: Mapping[str, Any]
    account: str | None
    symbols: frozenset[str]


class Answered(NamedTuple):
    """The exchange's JSON envelope with these headers."""

    body: dict[str, Any]
    wait_ms: int | None = None
    """How far ahead the header of the rate limit puts its reset; None: as it is."""


class Page(NamedTuple):
    """An HTTP status with an HTML page, no JSON."""

    status: int
    title: str

    @property
    def html(self) -> str:
        """The page, as proxies make it."""
        head = f"<html>\r\n<head><title>{self.title}</title></head>\r\n"
        return f"{head}<body>\r\n<center><h1>{self.title}</h1></center>\r\n</body>\r\n</html>\r\n"


class Torn(NamedTuple):
    """The envelope's text, broken off in the middle."""

    body: dict[str, Any]


class Silence(NamedTuple):
    """No answer: the connection breaks after so many milliseconds."""

    hang_ms: int


Outcome = Answered | Page | Torn | Silence


class Plan(NamedTuple):
    """``params``: what reaches the exchange, None when nothing does; ``instead``: what leaves in place of its answer;
    ``merged``: how the exchange's answer is completed."""

    params: Mapping[str, Any] | None
    instead: Outcome | None = None
    merged: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    delay_ms: int = 0
    is_torn: bool = False

    def outcome(self, answer: dict[str, Any] | None) -> Outcome:
        """What leaves, given the exchange's answer to ``params`` (None when it was not asked)."""
        if self.instead is not None:
            return self.instead
        assert answer is not None, "a request that is answered was carried out"
        if self.merged is not None:
            answer = self.merged(answer)
        return Torn(answer) if self.is_torn else Answered(answer)


def refused(code: int, message: str) -> dict[str, Any]:
    """The envelope of a refusal; the server stamps it with its time."""
    return {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}, "time": 0}


def plan_of(fault: RequestFault, asked: Asked, strikes: Callable[[], bool]) -> Plan | None:
    """What the fault does to the request; None when it does not strike."""
    if isinstance(fault, Refusal) and isinstance(asked.params.get("request"), list):
        return _refused_legs(fault, asked, strikes)
    if not strikes():
        return None
    match fault:
        case LostRequest():
            return Plan(None, Silence(fault.hang_ms))
        case LostAnswer():
            return Plan(asked.params, Silence(fault.hang_ms))
        case HttpError():
            page = Page(fault.status, f"{fault.status} {_reason(fault.status)}")
            return Plan(_effect(fault.effect, asked), page)
        case RateLimit():
            return Plan(None, Answered(refused(*TOO_MANY), fault.wait_ms))
        case ServerError():
            return Plan(_effect(fault.effect, asked), Answered(refused(fault.code, ERRORS[fault.code])))
        case Refusal():
            return Plan(None, Answered(refused(fault.code, fault.message)))
        case BrokenJson():
            return Plan(asked.params, is_torn=True)
    raise ValueError(f"the fault {fault.kind} has no plan for requests")


def _effect(effect: str, asked: Asked) -> Mapping[str, Any] | None:
    return asked.params if effect == "after" else None


def _reason(status: int) -> str:
    known = {403: "Forbidden", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway"}
    known |= {503: "Service Unavailable", 504: "Gateway Time-out"}
    return known.get(status, "Error")


def _refused_legs(fault: Refusal, asked: Asked, strikes: Callable[[], bool]) -> Plan | None:
    """Each order of a batch is refused by itself, as Bybit does: retCode 0, the codes in retExtInfo."""
    legs: list[Any] = asked.params["request"]
    hit = [index for index, leg in enumerate(legs) if _names(fault, leg) and strikes()]
    if not hit:
        return None
    kept = [leg for index, leg in enumerate(legs) if index not in hit]
    code = {"code": fault.code, "msg": fault.message}
    category = str(asked.params.get("category", ""))

    def merged(answer: dict[str, Any]) -> dict[str, Any]:
        if answer["retCode"]:
            return answer
        rows, codes = list(answer["result"].get("list", [])), list(answer["retExtInfo"].get("list", []))
        for index in hit:
            leg = legs[index]
            row = {"category": category, "symbol": leg.get("symbol", ""), "orderId": ""}
            rows.insert(index, row | {"orderLinkId": leg.get("orderLinkId", ""), "createAt": ""})
            codes.insert(index, code)
        return {**answer, "result": {"list": rows}, "retExtInfo": {"list": codes}}

    if not kept:
        empty = {"retCode": 0, "retMsg": "OK", "result": {"list": []}, "retExtInfo": {"list": []}, "time": 0}
        return Plan(None, Answered(merged(empty)))
    return Plan({**asked.params, "request": kept}, merged=merged)


def _names(fault: Refusal, leg: object) -> bool:
    return isinstance(leg, Mapping) and fault.symbol in ("*", leg.get("symbol"))
