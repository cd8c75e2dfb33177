"""The one reader of JSON that is sent to the HTTP interface: strict, so that nothing in a body can be overlooked.

JSON leaves open what a key means that stands twice; readers take the last one, people read the first one. Python's own
reader takes NaN, which is no JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from api.text import quoted, shown


class NotJsonError(HTTPException):
    """The body is not JSON (HTTP 400)."""

    def __init__(self, why: str) -> None:
        super().__init__(400, f"The body is not JSON: {why}.")


class RepeatedKeyError(HTTPException):
    """A key stands more than once in one object of the body (HTTP 422); nothing was done."""

    def __init__(self, key: str) -> None:
        self.key = shown(key)
        super().__init__(422, f"{quoted(key)} stands more than once in the body; each key is allowed once.")


def read_json(body: bytes) -> Any:
    """The value that the body is. Raises NotJsonError and RepeatedKeyError."""
    try:
        return json.loads(body, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise NotJsonError(f"{error.msg.lower()} at character {error.pos + 1}") from None
    except UnicodeDecodeError:
        raise NotJsonError("it is no text in UTF-8") from None
    except RecursionError:
        raise NotJsonError("it is nested too deep") from None
    except ValueError:  # Python reads no whole number of more than some thousand digits
        raise NotJsonError("a number in it has too many digits") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RepeatedKeyError(key)
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise NotJsonError(f"{name} is no number of JSON")


class _StrictRequest(Request):
    async def json(self) -> Any:
        """The body, read strictly."""
        return read_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose body is read by `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given a request that reads strictly."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
