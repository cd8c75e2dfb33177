"""Routes of the console's way in (IF-4, DE-3)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Response
from fastapi.responses import JSONResponse

from api.access.answers import Granted, Presented, Refused
from api.access.document import AccessError
from api.access.entrance import Entrance
from api.access.scopes import Scope
from api.access.sessions import Begun, csrf_of
from api.access.state import Session
from api.http.gate import GRANTED, PRESENTED, headers_for
from api.http.login.models import CodeRequest, Ended, LoginRequest, SessionRow, Standing
from api.http.presented import cookie_name, is_encrypted, is_forwarded
from api.http.reach import needs
from api.http.routes.common import BEARER, PREFIX, REFUSALS
from api.views.arguments import UnknownNameError

_log = logging.getLogger(__name__)

OWN = f"{PREFIX}/session"
ALL = f"{PREFIX}/sessions"
LOGINS = frozenset({("POST", OWN)})
"""They bring their credential in their body."""


SessionId = Annotated[str, Path(max_length=60, description="as `GET /api/v1/sessions` lists it")]


class NotKeptError(Exception):
    """Sessions cannot be read or kept now (HTTP 503)."""


class RefusedError(Exception):
    """The entrance refuses; carries its answer."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused
        super().__init__(refused.sentence)


def add_login(app: FastAPI, entrance: Entrance | None) -> None:
    """The routes; without an `entrance` they are refused as unavailable."""
    desk = _Desk(entrance)
    _add_errors(app)
    reads, admin = [Depends(BEARER), needs(Scope.READ)], [Depends(BEARER), needs(Scope.ADMIN)]
    conflict: dict[int | str, dict[str, Any]] = {409: {**REFUSALS[404], "description": "the session needs no code"}}

    @app.post(OWN, tags=["session"], summary="Log in to the console", responses=REFUSALS)
    def log_in(body: LoginRequest, request: Request, response: Response) -> Standing:
        """Take a token or a one-time link and set a cookie, which no script can read; the answer's `csrf` is the
        header X-CSRF-Token of every later request that changes something. Without the code of a second factor the
        session only reads. Needs no token in a header; wrong ones are slowed like wrong bearers."""
        return desk.log_in(body, request, response)

    @app.get(OWN, tags=["session"], summary="Who is logged in", dependencies=reads, responses=REFUSALS)
    def standing(request: Request) -> Standing:
        """Person, scope and, for a session, its csrf value and its end."""
        return desk.standing(request, request.scope[GRANTED], request.scope[PRESENTED].cookie)

    @app.post(
        f"{OWN}/code",
        tags=["session"],
        summary="Give the code of a second factor",
        dependencies=reads,
        responses=REFUSALS | conflict,
    )
    def confirm(body: CodeRequest, request: Request, response: Response) -> Standing:
        """The session reaches as far as its credential from now on, under a new cookie and a new csrf value."""
        return desk.confirm(body, request, response)

    @app.delete(OWN, tags=["session"], summary="Log out", dependencies=reads, responses=REFUSALS)
    def log_out(request: Request, response: Response) -> Ended:
        """End the session that the request came with."""
        return desk.log_out(request, response)

    @app.get(ALL, tags=["session"], summary="Who else is logged in", dependencies=admin, responses=REFUSALS)
    def sessions(request: Request) -> list[SessionRow]:
        """Every session that can be used now, the oldest first."""
        return desk.all(request.scope[GRANTED])

    @app.delete(
        f"{ALL}/{{session_id}}",
        tags=["session"],
        summary="End a session",
        dependencies=admin,
        responses=REFUSALS,
    )
    def end(session_id: SessionId, request: Request) -> Ended:
        """It is refused from its next request on."""
        return desk.end(session_id, request.scope[GRANTED].person)


class _Desk:
    def __init__(self, entrance: Entrance | None) -> None:
        self._entrance = entrance

    def log_in(self, body: LoginRequest, request: Request, response: Response) -> Standing:
        entrance, presented = self._open(), request.scope[PRESENTED]
        with _kept():
            if body.link is not None:
                begun = entrance.redeem(body.link, presented, is_forwarded=is_forwarded(request.scope))
            else:
                begun = entrance.log_in(body.token or "", body.code, presented)
            return self._begun(entrance, begun, request, response, presented)

    def confirm(self, body: CodeRequest, request: Request, response: Response) -> Standing:
        entrance, granted, presented = self._open(), request.scope[GRANTED], request.scope[PRESENTED]
        with _kept():
            begun = entrance.confirm(granted.session_id, body.code, presented.address)
            return self._begun(entrance, begun, request, response, None)

    def standing(self, request: Request, granted: Granted, cookie: str | None) -> Standing:
        entrance = self._open()
        with _kept():
            session = entrance.find(granted.session_id) if granted.session_id else None
        return _standing(granted, session, cookie)

    def log_out(self, request: Request, response: Response) -> Ended:
        entrance, granted = self._open(), request.scope[GRANTED]
        with _kept():
            ended = entrance.end(granted.session_id, granted.person) if granted.session_id else None
        if ended is None:
            raise UnknownNameError("session", "none", [], hint="this request came with a token, not with a session")
        response.delete_cookie(
            cookie_name(request.scope), path="/", secure=is_encrypted(request.scope), httponly=True, samesite="strict"
        )
        return Ended(session_id=ended.session_id)

    def all(self, granted: Granted) -> list[SessionRow]:
        entrance = self._open()
        with _kept():
            return [_row(one, granted.session_id) for one in entrance.all()]

    def end(self, session_id: str, by: str) -> Ended:
        entrance = self._open()
        with _kept():
            ended = entrance.end(session_id, by)
            if ended is None:
                raise UnknownNameError("session_id", session_id, [one.session_id for one in entrance.all()])
        return Ended(session_id=ended.session_id)

    def _open(self) -> Entrance:
        if self._entrance is None:
            raise NotKeptError("This interface keeps no sessions; send a token as bearer.")
        return self._entrance

    def _begun(
        self, entrance: Entrance, begun: Begun | Refused, request: Request, response: Response, login: Presented | None
    ) -> Standing:
        if isinstance(begun, Refused):
            raise RefusedError(begun)
        if login is not None and login.cookie:
            entrance.replace(login.cookie)  # who logs in again leaves no session behind
        response.set_cookie(
            cookie_name(request.scope),
            begun.cookie,
            max_age=max(1, int((begun.session.ends_at - datetime.now(UTC)).total_seconds())),
            path="/",
            secure=is_encrypted(request.scope),
            httponly=True,
            samesite="strict",
        )
        return _standing(entrance.standing(begun), begun.session, begun.cookie)


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except (AccessError, OSError) as error:
        _log.warning("sessions cannot be read or kept: %s", error)
        raise NotKeptError(
            "Sessions cannot be read or kept now: see eternal.log, and the files sessions.json and access.json."
        ) from error


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(NotKeptError)
    async def not_kept(_request: Request, error: NotKeptError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503)

    @app.exception_handler(RefusedError)
    async def refused(_request: Request, error: RefusedError) -> JSONResponse:
        found = error.refused
        headers = {name.decode(): value.decode() for name, value in headers_for(found)}
        return JSONResponse({"error": found.sentence}, found.status, headers)


def _standing(granted: Granted, session: Session | None, cookie: str | None) -> Standing:
    return Standing(
        person=granted.person,
        scope=granted.scope,
        withheld=granted.withheld,
        session_id=None if session is None else session.session_id,
        csrf=None if session is None or cookie is None else csrf_of(cookie),
        idle_s=None if session is None else session.idle_s,
        ends_ms=None if session is None else _ms(session.ends_at),
    )


def _row(one: Session, own: str) -> SessionRow:
    return SessionRow(
        session_id=one.session_id,
        person=one.person,
        scope=one.scope,
        is_confirmed=bool(one.code_mark),
        way=one.way,
        address=one.address,
        made_ms=_ms(one.made_at),
        seen_ms=_ms(one.seen_at),
        ends_ms=_ms(one.ends_at),
        idle_s=one.idle_s,
        is_own=one.session_id == own,
    )


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
