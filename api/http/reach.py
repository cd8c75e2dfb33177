"""How far a credential must reach for a route."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request

from api.access.answers import Granted
from api.access.judge import CODE_HEADER
from api.access.scopes import Scope
from api.http.gate import GRANTED


class OutOfReachError(Exception):
    """The credential's scope does not cover the route; the sentence names both."""

    def __init__(self, granted: Granted, needed: Scope) -> None:
        self.value, self.allowed = str(granted.scope), [str(one) for one in Scope if one.covers(needed)]
        if granted.withheld is not None and granted.withheld.covers(needed):
            how = (
                f"send one in the header {CODE_HEADER}"
                if not granted.session_id
                else "give it on the page System, under Session"
            )
            self.sentence = (
                f"The credential of {granted.person} reads without a code of its second factor; this needs "
                f"{' or '.join(self.allowed)} and therefore a code: {how}."
            )
        else:
            self.sentence = (
                f"The credential of {granted.person} has the scope {granted.scope}; this needs "
                f"{' or '.join(self.allowed)}."
            )
        super().__init__(self.sentence)


class Needs:
    """A route's dependency; raises OutOfReachError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, request: Request) -> None:
        """Judge one request, which the gate has let in."""
        granted: Granted = request.scope[GRANTED]
        if not granted.scope.covers(self.scope):
            raise OutOfReachError(granted, self.scope)


def needs(scope: Scope) -> Any:
    """The dependency of a route that needs this scope."""
    return Depends(Needs(scope))
